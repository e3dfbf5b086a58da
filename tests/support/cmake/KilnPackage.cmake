# `cpack` (in the build folder) makes kiln_VERSION_ARCH.deb of engine/package: the program without debug information, systemd
# unit, user, site in /etc/kiln, completions and man page. Included by KilnInstall.

set(package_source "${CMAKE_SOURCE_DIR}/engine/package")
set(package_build "${CMAKE_BINARY_DIR}/generated/package")

# Completions and man page are printed by the program that was built.
set(printed "")
foreach(shell bash zsh fish)
  add_custom_command(OUTPUT "${package_build}/kiln.${shell}"
    COMMAND kiln completion ${shell} > "${package_build}/kiln.${shell}" DEPENDS kiln VERBATIM)
  list(APPEND printed "${package_build}/kiln.${shell}")
endforeach()
find_program(GZIP_PROGRAM gzip REQUIRED)
add_custom_command(OUTPUT "${package_build}/kiln.1.gz"
  COMMAND kiln completion man > "${package_build}/kiln.1"
  COMMAND "${GZIP_PROGRAM}" -9nf "${package_build}/kiln.1" DEPENDS kiln VERBATIM)
add_custom_command(OUTPUT "${package_build}/sbom.cdx.json"
  COMMAND kiln version --sbom > "${package_build}/sbom.cdx.json" DEPENDS kiln VERBATIM)
file(MAKE_DIRECTORY "${package_build}")
add_custom_target(kiln_package_files ALL DEPENDS ${printed} "${package_build}/kiln.1.gz" "${package_build}/sbom.cdx.json")

install(FILES "${package_build}/kiln.bash" DESTINATION "share/bash-completion/completions" RENAME kiln COMPONENT engine)
install(FILES "${package_build}/kiln.zsh" DESTINATION "share/zsh/vendor-completions" RENAME _kiln COMPONENT engine)
install(FILES "${package_build}/kiln.fish" DESTINATION "share/fish/vendor_completions.d" COMPONENT engine)
install(FILES "${package_build}/kiln.1.gz" DESTINATION "share/man/man1" COMPONENT engine)
install(FILES "${CMAKE_SOURCE_DIR}/LICENSE" DESTINATION "share/doc/kiln" RENAME copyright COMPONENT engine)
install(FILES "${package_build}/sbom.cdx.json" DESTINATION "share/doc/kiln" COMPONENT engine)
install(DIRECTORY "${package_source}/monitoring" DESTINATION "share/kiln" COMPONENT engine)
install(FILES "${package_source}/kiln.service" DESTINATION "/lib/systemd/system" COMPONENT system)
install(FILES "${package_source}/kiln.sysusers" DESTINATION "/usr/lib/sysusers.d" RENAME kiln.conf COMPONENT system)
install(FILES "${package_source}/kiln.tmpfiles" DESTINATION "/usr/lib/tmpfiles.d" RENAME kiln.conf COMPONENT system)
install(FILES "${package_source}/kiln.conf" DESTINATION "/etc/kiln" COMPONENT system)

file(WRITE "${package_build}/conffiles" "/etc/kiln/kiln.conf\n")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME kiln)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "Kiln maintainers <kiln@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "HL7 v2 interface engine and FHIR R4 gateway")
set(CPACK_SET_DESTDIR ON)  # some files are outside the prefix
set(CPACK_INSTALL_PREFIX /usr)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # not the tests, too
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL engine system)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_NAME kiln)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "tzdata")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "HL7 v2 interface engine and FHIR R4 gateway
 Receives, maps, journals and delivers messages; web console, search and
 replay; one program, configured by text files in /etc/kiln.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${package_source}/postinst;${package_source}/prerm;${package_source}/postrm;${package_build}/conffiles")
include(CPack)
