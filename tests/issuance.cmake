set(issuance_dir ${CMAKE_SOURCE_DIR}/services/issuance)
chop_test(rules_issuance SOURCES ${CMAKE_CURRENT_LIST_DIR}/rules_issuance.c ${issuance_dir}/rules.c
  LIBS chop_base chop_proto LABELS rules)
add_library(test_issuance_world STATIC ${CMAKE_CURRENT_LIST_DIR}/svc_issuance_world.c)
target_include_directories(test_issuance_world PUBLIC ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(test_issuance_world PUBLIC chop_fixture chop_proto chop_outline chop_marks)
chop_test(svc_issuance SOURCES ${CMAKE_CURRENT_LIST_DIR}/svc_issuance.c
  ${CMAKE_CURRENT_LIST_DIR}/svc_verification_world.c LIBS test_issuance_world LABELS svc TIMEOUT 180)
add_dependencies(svc_issuance chop-issuance)
