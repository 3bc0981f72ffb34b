chop_test(unit_httpc SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_httpc.c LIBS chop_httpc LABELS unit)
chop_test(unit_httpc_webhook SOURCES ${CMAKE_SOURCE_DIR}/tests/unit_httpc_webhook.c LIBS chop_webhook LABELS unit)
