chop_lib(httpc SOURCES httpc.c httpc_address.c PUBLIC chop_base PRIVATE chop_pkg_curl)
