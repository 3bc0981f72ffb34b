# terminals/web: its modules under node, against protoc.
find_program(NODE NAMES node nodejs REQUIRED)
find_program(WEB_PROTOC protoc REQUIRED)
add_test(NAME web_modules COMMAND ${NODE} --test ${CMAKE_SOURCE_DIR}/tests/web_modules.mjs)
set_tests_properties(web_modules PROPERTIES LABELS unit TIMEOUT 120
  ENVIRONMENT "CHOP_SOURCE=${CMAKE_SOURCE_DIR};CHOP_PROTOC=${WEB_PROTOC}")
