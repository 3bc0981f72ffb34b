# pbjson: a message with a field of each kind.
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/tests/unit_pbjson.pb-c.c ${CMAKE_BINARY_DIR}/tests/unit_pbjson.pb-c.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/tests
  COMMAND ${PROTOC_C} --proto_path=${CMAKE_SOURCE_DIR}/tests --proto_path=/usr/include
          --c_out=${CMAKE_BINARY_DIR}/tests ${CMAKE_SOURCE_DIR}/tests/unit_pbjson.proto
  DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit_pbjson.proto VERBATIM)
add_library(test_pbjson_proto STATIC ${CMAKE_BINARY_DIR}/tests/unit_pbjson.pb-c.c)
target_compile_options(test_pbjson_proto PRIVATE -w)
target_include_directories(test_pbjson_proto SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(test_pbjson_proto PUBLIC chop_pkg_protobufc)

chop_test(unit_pbjson SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_pbjson.c LIBS chop_pbjson test_pbjson_proto LABELS unit)

if(CHOP_FUZZ)
  add_executable(fuzz_pbjson ${CMAKE_SOURCE_DIR}/tests/fuzz_pbjson.c)
  target_link_libraries(fuzz_pbjson PRIVATE chop_pbjson test_pbjson_proto)
  target_link_options(fuzz_pbjson PRIVATE -fsanitize=fuzzer)
endif()

chop_test(unit_gateway_parts SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_gateway_parts.c
  LIBS chop_gateway chop_pb chop_pkg_protobufc LABELS unit)
target_compile_definitions(unit_gateway_parts PRIVATE OPENAPI_FILE="${CMAKE_SOURCE_DIR}/docs/openapi.yaml")
foreach(name unit_gateway_http unit_gateway_calls)
  chop_test(${name} SOURCES ${CMAKE_SOURCE_DIR}/tests/${name}.c ${CMAKE_SOURCE_DIR}/tests/unit_gateway_world.c
    LIBS chop_gateway chop_crypto chop_log chop_pb chop_pkg_protobufc LABELS unit)
endforeach()

# The program over a real nats-server (tests/fixture.cmake is read before this file).
if(TARGET chop-gateway AND TARGET chop_fixture)
  chop_test(unit_gateway_bus SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_gateway_bus.c
    LIBS chop_fixture chop_pb chop_proto chop_pkg_protobufc LABELS svc)
  add_dependencies(unit_gateway_bus chop-gateway)
endif()
