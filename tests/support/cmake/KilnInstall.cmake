# `cmake --install BUILD --component hl7 --prefix P`: the HL7 library for other programs, as kiln::hl7 of
# find_package(kiln). `--component engine` installs the program.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(headers "${CMAKE_INSTALL_INCLUDEDIR}/kiln")
set(package "${CMAKE_INSTALL_LIBDIR}/cmake/kiln")

foreach(library core hl7)
  target_include_directories(kiln_${library} INTERFACE "$<INSTALL_INTERFACE:${headers}>")
  target_compile_features(kiln_${library} PUBLIC cxx_std_20)
  set_target_properties(kiln_${library} PROPERTIES EXPORT_NAME ${library})
endforeach()
install(TARGETS kiln_core kiln_hl7 EXPORT kilnTargets
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT hl7)
install(EXPORT kilnTargets NAMESPACE kiln:: DESTINATION "${package}" COMPONENT hl7)

install(DIRECTORY "${CMAKE_SOURCE_DIR}/hl7" DESTINATION "${headers}" COMPONENT hl7
        FILES_MATCHING PATTERN "*.h" PATTERN "generated" EXCLUDE PATTERN "validation" EXCLUDE)
foreach(name ${KILN_CORE} limits)
  if(EXISTS "${CMAKE_SOURCE_DIR}/engine/base/${name}.h")  # time_zone belongs to partial_date.h
    install(FILES "${CMAKE_SOURCE_DIR}/engine/base/${name}.h" DESTINATION "${headers}/engine/base" COMPONENT hl7)
  endif()
endforeach()
install(FILES "${CMAKE_SOURCE_DIR}/engine/base/error_codes.def" DESTINATION "${headers}/engine/base" COMPONENT hl7)

configure_package_config_file("${CMAKE_SOURCE_DIR}/tests/support/cmake/kilnConfig.cmake.in"
                              "${CMAKE_BINARY_DIR}/generated/kilnConfig.cmake" INSTALL_DESTINATION "${package}")
# Before 1.0 every minor version may change the interface.
write_basic_package_version_file("${CMAKE_BINARY_DIR}/generated/kilnConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/generated/kilnConfig.cmake" "${CMAKE_BINARY_DIR}/generated/kilnConfigVersion.cmake"
        DESTINATION "${package}" COMPONENT hl7)

if(TARGET kiln)
  install(TARGETS kiln RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT engine)
  include(KilnPackage)
endif()
