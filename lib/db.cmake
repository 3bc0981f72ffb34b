chop_lib(db SOURCES db.c db_store.c PUBLIC chop_base PRIVATE chop_log chop_pkg_pq)
