chop_test(rules_authorization SOURCES ${CMAKE_SOURCE_DIR}/tests/rules_authorization.c LIBS authorization_rules LABELS rules)
