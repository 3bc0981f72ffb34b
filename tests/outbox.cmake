# lib/outbox between a producer and consumers in one process, with private PostgreSQL and nats-server.
chop_test(svc_outbox SOURCES ${CMAKE_CURRENT_LIST_DIR}/svc_outbox.c ${CMAKE_CURRENT_LIST_DIR}/svc_outbox_world.c
  LIBS chop_fixture chop_outbox chop_rpc chop_db chop_log chop_proto LABELS svc TIMEOUT 180)
