// One file per message on an SFTP server: written under another name, then renamed.

#include "channels/connectors/detail/sftp_connection.h"
#include "channels/connectors/detail/written_file.h"

namespace kiln::channels {

namespace {

constexpr FieldSpec kOptions[] = {
    detail::kSftpHost,
    detail::kSftpPort,
    detail::kSftpUser,
    detail::kSftpKey,
    detail::kSftpPassword,
    detail::kSftpHostKey,
    detail::kSftpTimeout,
    {.name = "file",
     .type = FieldType::name_template,
     .summary = "name on the server, relative to the account's folder; ${…} may use the message",
     .required = true},
    detail::kExistsOption,
};
constexpr ConnectorExample kExamples[] = {
    {"{ host \"files.example.org\"; user \"kiln\"; key cred(\"sftp.key\"); host_key "
     "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"; file \"in/${MSH-10}.hl7\" }"},
    {"{ host \"files.example.org\"; user \"kiln\"; key cred(\"sftp.key\"); host_key "
     "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"; file \"in/last.hl7\"; exists replace; timeout 5s }"},
    {"{ host \"files.example.org\"; user \"kiln\"; key cred(\"sftp.key\"); host_key "
     "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" }",
     false},
    {"{ host \"files.example.org\"; user \"kiln\"; key \"abc\"; host_key "
     "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"; file \"in/x\" }",
     false},
};

class SftpDestination final : public Destination {
 public:
  SftpDestination(const Options& options, const Surroundings& around)
      : parts_(options), files_(detail::make_written_file(options, parts_.surroundings(around))) {}

  base::Status start() override { return files_->start(); }
  base::Task<SendOutcome> send(Outgoing message) override { return files_->send(std::move(message)); }
  base::Task<void> stop() override {
    parts_.server.interrupt();
    return files_->stop();
  }
  ConnectorStatus status() const override { return files_->status(); }

 private:
  detail::SftpParts parts_;
  std::unique_ptr<Destination> files_;
};

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<SftpDestination>(options, around);
}

}  // namespace

const ConnectorSpec& sftp_destination_spec() {
  static const ConnectorSpec spec{.name = "sftp",
                                  .role = ConnectorRole::destination,
                                  .summary = "writes each message as a file on an SFTP server",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &detail::check_sftp,
                                  .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
