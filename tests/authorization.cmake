chop_test(rules_authorization SOURCES ${CMAKE_SOURCE_DIR}/tests/rules_authorization.c LIBS authorization_rules LABELS rules)
# The program itself, with private PostgreSQL and nats-server; it draws with chop-draw, whose font libraries keep their
# caches until that process ends: not ours to free.
foreach(name svc_authorization svc_authorization_print svc_authorization_order)
  chop_test(${name} SOURCES ${CMAKE_SOURCE_DIR}/tests/${name}.c ${CMAKE_SOURCE_DIR}/tests/svc_authorization_world.c
    LIBS chop_fixture chop_pbjson chop_outline chop_proto LABELS svc TIMEOUT 180)
  add_dependencies(${name} chop-authorization chop-draw)
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")
endforeach()
