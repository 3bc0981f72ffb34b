chop_test(unit_outline SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit_outline.c LIBS chop_outline LABELS unit)
foreach(name unit_artwork unit_paper)
  chop_test(${name} SOURCES ${CMAKE_CURRENT_LIST_DIR}/${name}.c ${CMAKE_CURRENT_LIST_DIR}/shell.c
    LIBS chop_outline chop_pkg_cairo chop_pkg_jansson m LABELS unit ARGS $<TARGET_FILE:chop-draw>)
  add_dependencies(${name} chop-draw)
  # The font libraries keep their caches until the process ends: not ours to free.
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")
endforeach()

# The letters of the marks are what their command makes.
add_test(NAME glyphs_fresh COMMAND sh -c "$<TARGET_FILE:chop-draw> glyphs | cmp - ${CMAKE_SOURCE_DIR}/lib/markblock_glyphs.h")
set_tests_properties(glyphs_fresh PROPERTIES LABELS unit ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")

# Marks are read back by two decoders that have nothing in common: zbar and, where it is installed, ZXing.
find_package(ZXing QUIET)
if(ZXing_FOUND)
  enable_language(CXX)
  add_executable(read_zxing ${CMAKE_CURRENT_LIST_DIR}/read_zxing.cc)
  set_target_properties(read_zxing PROPERTIES COMPILE_OPTIONS "-Wall;-Wextra;-fPIE;-std=c++17")
  target_link_libraries(read_zxing PRIVATE ZXing::ZXing)
  set(second_decoder $<TARGET_FILE:read_zxing>)
else()
  message(WARNING "libzxing-dev is not installed: marks are checked with one decoder only")
endif()
chop_test(unit_markblock SOURCES ${CMAKE_CURRENT_LIST_DIR}/unit_markblock.c ${CMAKE_CURRENT_LIST_DIR}/shell.c
  LIBS chop_markblock LABELS unit ARGS ${second_decoder})
if(ZXing_FOUND)
  add_dependencies(unit_markblock read_zxing)
endif()

if(CHOP_FUZZ)
  add_executable(fuzz_outline ${CMAKE_CURRENT_LIST_DIR}/fuzz_outline.c)
  target_link_libraries(fuzz_outline PRIVATE chop_outline -fsanitize=fuzzer)
endif()
