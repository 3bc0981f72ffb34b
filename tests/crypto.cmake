chop_test(unit_pb SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit_pb.c LIBS chop_pb LABELS unit)
