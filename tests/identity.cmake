chop_test(unit_act SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_act.c LIBS chop_act chop_proto LABELS unit)
chop_test(rules_identity SOURCES ${CMAKE_SOURCE_DIR}/tests/rules_identity.c LIBS chop_identity_rules LABELS rules)
