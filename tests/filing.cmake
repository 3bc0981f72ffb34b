chop_test(unit_httpc SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_httpc.c LIBS chop_httpc LABELS unit)
chop_test(unit_httpc_webhook SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_httpc_webhook.c LIBS chop_webhook LABELS unit)
chop_test(unit_registry_rules SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_registry_rules.c LIBS registry_core LABELS unit)

add_library(filing_world STATIC ${CMAKE_SOURCE_DIR}/tests/svc_filing_world.c)
target_include_directories(filing_world PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(filing_world PUBLIC chop_httpc chop_webhook chop_trust chop_pb chop_pbjson chop_pkg_cmocka)

chop_test(unit_registry SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_registry.c LIBS filing_world LABELS unit
  ARGS $<TARGET_FILE:chop-registry>)
add_dependencies(unit_registry chop-registry)

chop_test(rules_filing SOURCES ${CMAKE_SOURCE_DIR}/tests/rules_filing.c LIBS filing_rules filing_world LABELS rules)

chop_test(svc_filing SOURCES ${CMAKE_SOURCE_DIR}/tests/svc_filing.c ${CMAKE_SOURCE_DIR}/tests/svc_filing_owner.c
  LIBS chop_fixture filing_world chop_outbox LABELS svc ARGS $<TARGET_FILE:chop-registry> TIMEOUT 300)
add_dependencies(svc_filing chop-registry chop-filing-relay)
