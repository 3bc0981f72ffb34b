# The whole job by chop, on a stack of its own (tests/e2e/stack.h).
set(e2e ${CMAKE_SOURCE_DIR}/tests/e2e)
chop_test(svc_cli SOURCES ${CMAKE_SOURCE_DIR}/tests/svc_cli.c ${e2e}/stack.c ${e2e}/client.c ${e2e}/job.c
    ${CMAKE_SOURCE_DIR}/tests/fixture_process.c
  LIBS chop_trust chop_pbjson chop_proto chop_pkg_curl LABELS e2e ARGS $<TARGET_FILE:chop> ${CMAKE_BINARY_DIR}/bin
  TIMEOUT 240)
target_include_directories(svc_cli PRIVATE ${e2e})
target_compile_definitions(svc_cli PRIVATE E2E_ROOT="${CMAKE_SOURCE_DIR}")
foreach(program chop chop-identity chop-authorization chop-issuance chop-filing-relay chop-verification chop-gateway
    chop-printer-bridge chop-printer chop-registry chop-keys chop-draw)
  if(TARGET ${program})
    add_dependencies(svc_cli ${program})
  endif()
endforeach()

chop_test(unit_cli SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_cli.c ${CMAKE_SOURCE_DIR}/tests/svc_filing_world.c
  LIBS cli_core chop_webhook chop_pbjson LABELS unit)
