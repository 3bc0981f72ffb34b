# The whole system as its users see it: HTTP on one side, paper on the other. Each program has a stack of its own.
add_library(chop_e2e STATIC ${CMAKE_CURRENT_LIST_DIR}/e2e/client.c ${CMAKE_CURRENT_LIST_DIR}/e2e/job.c
  ${CMAKE_CURRENT_LIST_DIR}/e2e/stack.c ${CMAKE_CURRENT_LIST_DIR}/fixture_process.c)
target_include_directories(chop_e2e PUBLIC ${CMAKE_CURRENT_LIST_DIR} ${CMAKE_CURRENT_LIST_DIR}/e2e)
target_compile_definitions(chop_e2e PRIVATE E2E_ROOT="${CMAKE_SOURCE_DIR}")
target_link_libraries(chop_e2e PUBLIC chop_trust chop_crypto chop_pb chop_pbjson chop_proto chop_base chop_pkg_curl)
