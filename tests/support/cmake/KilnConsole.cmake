# kiln_console(TARGET): builds engine/admin/console with npm and puts it into the library as kiln::engine::console_files()
# (engine/admin/console_files.h). All work happens in the build folder; the packages are fetched once, and again only when
# the lock file changes. KILN_CONSOLE=OFF embeds one page instead that says that this binary has no console.

option(KILN_CONSOLE "build the web console; needs Node.js 18 or newer with npm" ON)

function(kiln_console target)
  set(source "${CMAKE_SOURCE_DIR}/engine/admin/console")
  set(work "${CMAKE_BINARY_DIR}/console")
  set(out "${CMAKE_BINARY_DIR}/generated/console_files.cpp")
  set(embed "${CMAKE_SOURCE_DIR}/tests/support/cmake/embed.cmake")
  set(script "${CMAKE_SOURCE_DIR}/tests/support/cmake/console_build.cmake")
  set(common "-DOUT=${out}" "-DSOURCE=${source}" "-DWORK=${work}" "-DEMBED=${embed}")
  if(KILN_CONSOLE)
    find_program(NODE NAMES node nodejs)
    find_program(NPM npm)
    if(NODE)
      execute_process(COMMAND "${NODE}" --version OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
      string(REGEX REPLACE "^v" "" version "${version}")
    endif()
    if(NOT NODE OR NOT NPM OR version VERSION_LESS 18)
      message(FATAL_ERROR "The web console needs Node.js 18 or newer and npm (found: node '${NODE}' ${version}, npm '${NPM}').\n"
                          "Install them (apt-get install nodejs npm), or build without the console: cmake … -DKILN_CONSOLE=OFF")
    endif()
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${source}/src/*" "${source}/public/*" "${source}/tools/*")
    list(APPEND sources "${source}/index.html" "${source}/vite.config.js" "${source}/tsconfig.json")
    set(lock "${source}/package.json" "${source}/package-lock.json" "${source}/.npmrc")
    add_custom_command(OUTPUT "${work}/packages.stamp"
      COMMAND "${CMAKE_COMMAND}" ${common} "-DNPM=${NPM}" -DSTEP=packages -P "${script}"
      DEPENDS ${lock} "${script}" VERBATIM COMMENT "Fetching the packages of the web console")
    add_custom_command(OUTPUT "${out}"
      COMMAND "${CMAKE_COMMAND}" ${common} "-DNPM=${NPM}" -DSTEP=bundle -P "${script}"
      DEPENDS ${sources} "${work}/packages.stamp" "${script}" "${embed}" VERBATIM COMMENT "Building the web console")
  else()
    add_custom_command(OUTPUT "${out}"
      COMMAND "${CMAKE_COMMAND}" ${common} -DSTEP=none -P "${script}"
      DEPENDS "${source}/without.html" "${script}" "${embed}" VERBATIM)
  endif()
  target_sources(${target} PRIVATE "${out}")
endfunction()
