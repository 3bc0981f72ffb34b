chop_lib(marks SOURCES marks.c marks_read.c PUBLIC chop_base)
