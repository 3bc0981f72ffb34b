set(here ${CMAKE_CURRENT_LIST_DIR})
chop_test(unit_act SOURCES ${here}/unit_act.c LIBS chop_act chop_proto LABELS unit)
chop_test(rules_identity SOURCES ${here}/rules_identity.c LIBS chop_identity_rules LABELS rules)
foreach(name svc_identity svc_identity_terminal svc_identity_factor svc_identity_act svc_identity_printer
    svc_identity_busy)
  chop_test(${name} SOURCES ${here}/${name}.c ${here}/svc_identity_world.c LIBS chop_fixture chop_pbjson chop_proto
    LABELS svc)
  add_dependencies(${name} chop-identity)
endforeach()
