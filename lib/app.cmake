chop_lib(app SOURCES app.c app_health.c app_monitor.c PUBLIC chop_outbox chop_rpc chop_conf chop_log
  PRIVATE chop_metrics chop_pkg_microhttpd)
