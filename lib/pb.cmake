chop_lib(pb SOURCES pb.c PUBLIC chop_base chop_proto)
