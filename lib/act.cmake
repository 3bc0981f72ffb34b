chop_lib(act SOURCES act.c PUBLIC chop_base chop_rpc PRIVATE chop_pb chop_pbjson chop_db chop_trust chop_crypto)
chop_embed(chop_act ${CMAKE_CURRENT_SOURCE_DIR}/act.sql act_sql)
