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
  ${e2e}/flow_input.c ${e2e}/flow_order.c LIBS chop_e2e chop_marks chop_pkg_cairo Threads::Threads LABELS e2e
  ARGS ${CMAKE_BINARY_DIR}/bin ${reader} TIMEOUT 240)

# One stack for each group of faults; a single one: e2e_faults BIN NAME.
if(CHOP_FAILPOINTS)
  add_executable(e2e_faults ${e2e}/faults.c ${e2e}/faults_check.c)
  target_link_libraries(e2e_faults PRIVATE chop_e2e)
  set_target_properties(e2e_faults PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  foreach(group authorization issuance filing printer infrastructure)
    add_test(NAME e2e_faults_${group} COMMAND e2e_faults ${CMAKE_BINARY_DIR}/bin ${group})
    set_tests_properties(e2e_faults_${group} PROPERTIES LABELS e2e TIMEOUT 240)
  endforeach()
endif()
foreach(program ${programs})
  foreach(test e2e_flow e2e_faults)
    if(TARGET ${program} AND TARGET ${test})
      add_dependencies(${test} ${program})
    endif()
  endforeach()
endforeach()
chop_test(e2e_offline SOURCES ${e2e}/offline.c LIBS chop_e2e LABELS e2e ARGS ${CMAKE_BINARY_DIR}/bin TIMEOUT 180)
foreach(program ${programs} chop)
  if(TARGET ${program})
    add_dependencies(e2e_offline ${program})
  endif()
endforeach()
