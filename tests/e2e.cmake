# The whole system as its users see it: HTTP on one side, paper on the other. Each program has a stack of its own.
set(e2e ${CMAKE_CURRENT_LIST_DIR}/e2e)
add_library(chop_e2e STATIC ${e2e}/client.c ${e2e}/job.c ${e2e}/stack.c ${e2e}/world.c
  ${CMAKE_CURRENT_LIST_DIR}/fixture_process.c)
target_include_directories(chop_e2e PUBLIC ${CMAKE_CURRENT_LIST_DIR} ${e2e})
target_compile_definitions(chop_e2e PRIVATE E2E_ROOT="${CMAKE_SOURCE_DIR}")
target_link_libraries(chop_e2e PUBLIC chop_trust chop_crypto chop_pb chop_pbjson chop_proto chop_base chop_pkg_curl)

set(programs chop-identity chop-authorization chop-issuance chop-filing-relay chop-verification chop-gateway
  chop-printer-bridge chop-printer chop-registry chop-keys chop-draw)
set(reader "")
if(TARGET read_zxing)
  set(reader $<TARGET_FILE:read_zxing>)
endif()
chop_test(e2e_flow SOURCES ${e2e}/flow.c ${e2e}/flow_paper.c ${e2e}/flow_rules.c ${e2e}/flow_printer.c
  ${e2e}/flow_input.c LIBS chop_e2e chop_marks chop_pkg_cairo Threads::Threads LABELS e2e
  ARGS ${CMAKE_BINARY_DIR}/bin ${reader} TIMEOUT 240)
foreach(program ${programs})
  if(TARGET ${program})
    add_dependencies(e2e_flow ${program})
  endif()
endforeach()
