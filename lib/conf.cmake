chop_lib(conf SOURCES conf.c PUBLIC chop_base)
