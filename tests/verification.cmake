set(verification_dir ${CMAKE_SOURCE_DIR}/services/verification)
chop_test(rules_verification
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/rules_verification.c ${verification_dir}/rules.c ${verification_dir}/text.c
          ${verification_dir}/words.c
  LIBS chop_base chop_proto LABELS rules)
chop_test(svc_verification
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/svc_verification.c ${CMAKE_CURRENT_LIST_DIR}/svc_verification_ask.c
          ${CMAKE_CURRENT_LIST_DIR}/svc_verification_world.c
  LIBS test_issuance_world LABELS svc TIMEOUT 240)
add_dependencies(svc_verification chop-verification)
