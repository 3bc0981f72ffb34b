chop_lib(pbjson SOURCES pbjson_lex.c pbjson_store.c pbjson_read.c pbjson_print.c
  PUBLIC chop_base PRIVATE chop_pkg_protobufc)
