# The steps of KilnConsole.cmake: STEP packages | bundle | none.

# npm, quiet unless it fails.
function(run_npm what)
  execute_process(COMMAND "${NPM}" ${ARGN} WORKING_DIRECTORY "${WORK}" OUTPUT_VARIABLE output ERROR_VARIABLE output
                  RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message("${output}")
    message(FATAL_ERROR "The web console: ${what} failed. To build without it: cmake … -DKILN_CONSOLE=OFF")
  endif()
endfunction()

file(MAKE_DIRECTORY "${WORK}")
if(STEP STREQUAL "packages")
  foreach(name package.json package-lock.json .npmrc)
    file(COPY_FILE "${SOURCE}/${name}" "${WORK}/${name}")
  endforeach()
  # No script of a package runs; a filled cache of npm makes this work without a network.
  run_npm("npm ci (are the packages within reach?)" ci --ignore-scripts --prefer-offline --no-audit --no-fund)
  file(TOUCH "${WORK}/packages.stamp")
  return()
endif()

file(REMOVE_RECURSE "${WORK}/packed" "${WORK}/src" "${WORK}/public" "${WORK}/tools")
if(STEP STREQUAL "bundle")
  file(COPY "${SOURCE}/src" "${SOURCE}/public" "${SOURCE}/tools" "${SOURCE}/index.html" "${SOURCE}/vite.config.js"
            "${SOURCE}/tsconfig.json" DESTINATION "${WORK}")
  run_npm("npm run build" run build)
else()
  file(MAKE_DIRECTORY "${WORK}/packed")
  file(ARCHIVE_CREATE OUTPUT "${WORK}/packed/index.html.gz" PATHS "${SOURCE}/without.html" FORMAT raw COMPRESSION GZip)
endif()
set(DIR "${WORK}/packed")
set(NAMESPACE kiln::engine)
set(FUNCTION console_files)
file(GLOB_RECURSE FILES RELATIVE "${DIR}" "${DIR}/*")
list(SORT FILES)
include("${EMBED}")
