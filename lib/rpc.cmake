chop_lib(rpc SOURCES rpc.c rpc_server.c PUBLIC chop_bus chop_db chop_pb chop_trust PRIVATE chop_log chop_metrics chop_proto)
chop_lib(outbox SOURCES outbox.c outbox_consume.c PUBLIC chop_rpc PRIVATE chop_log chop_metrics chop_proto)
chop_embed(chop_outbox ${CMAKE_CURRENT_SOURCE_DIR}/outbox.sql outbox_sql)
target_include_directories(chop_outbox PUBLIC ${CMAKE_CURRENT_BINARY_DIR})
