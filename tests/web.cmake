# terminals/web: its modules under node, against protoc; and the whole page in a browser, where one is installed.
find_program(NODE NAMES node nodejs REQUIRED)
find_program(WEB_PROTOC protoc REQUIRED)
add_test(NAME web_modules COMMAND ${NODE} --test ${CMAKE_SOURCE_DIR}/tests/web_modules.mjs)
set_tests_properties(web_modules PROPERTIES LABELS unit TIMEOUT 120
  ENVIRONMENT "CHOP_SOURCE=${CMAKE_SOURCE_DIR};CHOP_PROTOC=${WEB_PROTOC}")

# A browser is not among the packages that everyone must install.
find_program(WEB_CHROMIUM NAMES chromium chromium-browser google-chrome)
if(WEB_CHROMIUM)
  add_test(NAME web_flow COMMAND ${CMAKE_SOURCE_DIR}/tests/web_flow.sh ${CMAKE_BINARY_DIR})
  set_tests_properties(web_flow PROPERTIES LABELS e2e TIMEOUT 240 ENVIRONMENT "CHOP_CHROMIUM=${WEB_CHROMIUM}")
else()
  message(STATUS "web_flow is not registered: no chromium")
endif()
