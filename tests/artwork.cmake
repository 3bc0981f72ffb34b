chop_test(unit_outline SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit_outline.c LIBS chop_outline LABELS unit)

if(CHOP_FUZZ)
  add_executable(fuzz_outline ${CMAKE_CURRENT_LIST_DIR}/fuzz_outline.c)
  target_link_libraries(fuzz_outline PRIVATE chop_outline -fsanitize=fuzzer)
endif()
