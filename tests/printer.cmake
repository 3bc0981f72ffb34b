set(world ${CMAKE_CURRENT_LIST_DIR}/unit_core_world.c ${CMAKE_CURRENT_LIST_DIR}/unit_core_mem.c)
set(world_libs chop_printer_device chop_trust chop_pb chop_outline)
chop_test(unit_core SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit_core.c ${world} LIBS ${world_libs} LABELS unit)
chop_test(unit_core_tamper SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit_core_tamper.c ${world} LIBS ${world_libs} LABELS unit)
chop_test(unit_core_crash SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit_core_crash.c ${world} LIBS ${world_libs} LABELS unit)
chop_test(unit_core_held SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit_core_held.c ${world} LIBS ${world_libs} LABELS unit)
chop_test(unit_journal SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit_journal.c ${world} LIBS ${world_libs} LABELS unit)

# The core stands alone: no heap, no files, no OpenSSL, no database in what it asks of the linker.
add_test(NAME unit_core_alone COMMAND sh -c "nm -u $<TARGET_FILE:chop_printer_core> | grep -E \
  ' U (malloc|calloc|realloc|free|fopen|open|printf|sqlite3_.*|EVP_.*|crypto_.*|arena_.*|pthread_.*)$'; test $? -eq 1")
set_tests_properties(unit_core_alone PROPERTIES LABELS unit)

if(CHOP_FUZZ)
  add_executable(fuzz_envelope ${CMAKE_CURRENT_LIST_DIR}/fuzz_envelope.c ${world})
  target_include_directories(fuzz_envelope PRIVATE ${CMAKE_CURRENT_LIST_DIR})
  target_link_libraries(fuzz_envelope PRIVATE ${world_libs} -fsanitize=fuzzer)
endif()

if(TARGET chop-printer AND TARGET chop-printer-bridge AND TARGET chop_fixture)
  set(svc_world ${world} ${CMAKE_CURRENT_LIST_DIR}/svc_printer_world.c)
  set(svc_libs ${world_libs} chop_fixture chop_outbox chop_pbjson chop_mqtt)
  chop_test(svc_printer SOURCES ${CMAKE_CURRENT_LIST_DIR}/svc_printer.c ${svc_world} LIBS ${svc_libs} LABELS svc
    TIMEOUT 180)
  chop_test(svc_printer_puback SOURCES ${CMAKE_CURRENT_LIST_DIR}/svc_printer_puback.c ${svc_world} LIBS ${svc_libs}
    LABELS svc TIMEOUT 120)
  add_test(NAME svc_printer_store COMMAND svc_printer_puback store)
  set_tests_properties(svc_printer_store PROPERTIES LABELS svc TIMEOUT 120)
  foreach(test svc_printer svc_printer_puback)
    target_compile_definitions(${test} PRIVATE PRINTER_BIN="${CMAKE_BINARY_DIR}/bin/chop-printer"
      BROKER_DIR="${CMAKE_SOURCE_DIR}/deploy/mosquitto")
    add_dependencies(${test} chop-printer chop-printer-bridge)
  endforeach()
endif()

if(TARGET chop-draw)
  chop_test(svc_printer_page SOURCES ${CMAKE_CURRENT_LIST_DIR}/svc_printer_page.c
    LIBS chop_printer_device chop_markblock chop_marks chop_outline LABELS svc TIMEOUT 120)
  target_compile_definitions(svc_printer_page PRIVATE DRAW_BIN="${CMAKE_BINARY_DIR}/bin/chop-draw")
  add_dependencies(svc_printer_page chop-draw)
endif()
