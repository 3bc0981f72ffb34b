chop_lib(fsm SOURCES fsm.c PUBLIC chop_base)
