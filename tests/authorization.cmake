chop_test(rules_authorization SOURCES ${CMAKE_SOURCE_DIR}/tests/rules_authorization.c LIBS authorization_rules LABELS rules)
# The program itself, with private PostgreSQL and nats-server; it draws with chop-draw.
chop_test(svc_authorization
  SOURCES ${CMAKE_SOURCE_DIR}/tests/svc_authorization.c ${CMAKE_SOURCE_DIR}/tests/svc_authorization_world.c
  LIBS chop_fixture chop_pbjson chop_outline chop_proto LABELS svc TIMEOUT 180)
add_dependencies(svc_authorization chop-authorization chop-draw)
# The font libraries of chop-draw keep their caches until that process ends: not ours to free.
set_tests_properties(svc_authorization PROPERTIES ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")
