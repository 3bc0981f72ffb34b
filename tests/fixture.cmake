# What tests of services share: a private PostgreSQL and nats-server, keys, programs, calls.
add_library(chop_fixture STATIC ${CMAKE_CURRENT_LIST_DIR}/fixture.c ${CMAKE_CURRENT_LIST_DIR}/fixture_keys.c
  ${CMAKE_CURRENT_LIST_DIR}/fixture_process.c)
target_include_directories(chop_fixture PUBLIC ${CMAKE_CURRENT_LIST_DIR})
target_compile_definitions(chop_fixture PRIVATE FIXTURE_BIN="${CMAKE_BINARY_DIR}/bin")
target_link_libraries(chop_fixture PUBLIC chop_bus chop_trust chop_crypto chop_pb chop_base)
