# Helpers that every part's CMakeLists.txt uses.

# chop_pkg(NAME MODULE...): an interface target chop_pkg_NAME around pkg-config modules.
function(chop_pkg name)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${ARGN})
  add_library(chop_pkg_${name} INTERFACE)
  target_link_libraries(chop_pkg_${name} INTERFACE PkgConfig::${name})
endfunction()

# chop_program(NAME SOURCES... LIBS...): one executable, put into build/bin.
function(chop_program name)
  cmake_parse_arguments(P "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(${name} PRIVATE ${P_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# chop_embed(TARGET FILE SYMBOL): compiles FILE into TARGET as `const char SYMBOL[]`
# (zero-terminated) and `const size_t SYMBOL_len`, declared in SYMBOL.h.
function(chop_embed target file symbol)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol})
  add_custom_command(OUTPUT ${out}.c ${out}.h
    COMMAND ${CMAKE_COMMAND} -DIN=${file} -DOUT=${out} -DSYMBOL=${symbol}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out}.c ${out}.h)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()

# chop_test(NAME SOURCES... LIBS... LABELS... [ARGS ...] [TIMEOUT s]): one program, one ctest.
function(chop_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;LIBS;LABELS;ARGS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${T_LIBS} chop_pkg_cmocka)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} ${T_ARGS})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
endfunction()

chop_pkg(cmocka cmocka)
