// Files of an SFTP server as messages: polled, renamed into a work folder, read, archived, as those of a local folder.

#include "channels/connectors/detail/polled_folder.h"
#include "channels/connectors/detail/sftp_connection.h"
#include "channels/detail/validation.h"

namespace kiln::channels {

namespace {

constexpr const char* kContentWords[] = {"hl7", "fhir", "csv"};
constexpr FieldSpec kOptions[] = {
    detail::kSftpHost,
    detail::kSftpPort,
    detail::kSftpUser,
    detail::kSftpKey,
    detail::kSftpPassword,
    detail::kSftpHostKey,
    detail::kSftpTimeout,
    {.name = "folder",
     .type = FieldType::path,
     .summary = "folder of the server that is watched; relative to the account's",
     .required = true},
    detail::kPatternOption,
    {.name = "content",
     .type = FieldType::word,
     .summary = "what the files hold",
     .default_value = "hl7",
     .words = kContentWords},
    {.name = "charset",
     .type = FieldType::string,
     .summary = "character set when MSH-18 is empty",
     .lead = "default"},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset; default: the server's"},
    {.name = "poll",
     .type = FieldType::duration,
     .summary = "pause between looks",
     .default_value = "30s",
     .min = 100},
    {.name = "stable",
     .type = FieldType::duration,
     .summary = "a file is taken when it has not changed for this time; 0s when senders rename files into place",
     .default_value = "10s"},
    detail::kArchiveOption,
    detail::kFailedOption,
    detail::kWorkOption,
    detail::kMaxFileOption,
    detail::kSplitOption,
    detail::kDelimiterOption,
    detail::kResultsOption,
    detail::kValidateOption,
};
constexpr ConnectorExample kExamples[] = {
    {"{ host \"files.example.org\"; user \"kiln\"; key cred(\"sftp.key\"); host_key "
     "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"; folder \"out/orders\"; pattern \"*.hl7\" }"},
    {"{ host \"files.example.org\"; port 2222; user \"kiln\"; password env(\"SFTP_PASSWORD\"); host_key "
     "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"; folder \"/export\"; content csv; poll 1m; stable 0s }"},
    {"{ host \"files.example.org\"; user \"kiln\"; key cred(\"sftp.key\"); folder \"out\" }", false},
    {"{ host \"files.example.org\"; user \"kiln\"; key cred(\"sftp.key\"); host_key \"any\"; folder \"out\" }", false},
    {"{ host \"files.example.org\"; user \"kiln\"; host_key "
     "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"; folder \"out\" }",
     false},
};

ContentKind kind_of(const Options& options) {
  const std::string content = options.text("content");
  return content == "fhir" ? ContentKind::fhir : content == "csv" ? ContentKind::csv : ContentKind::hl7;
}

std::vector<OptionProblem> check(const Options& options) {
  std::vector<OptionProblem> out = detail::check_sftp(options);
  for (OptionProblem& one : detail::check_split(options, kind_of(options))) out.push_back(std::move(one));
  return out;
}

class SftpSource final : public Source {
 public:
  SftpSource(const Options& options, const Surroundings& around) : parts_(options) {
    const ContentKind kind = kind_of(options);
    detail::FolderInput input;
    input.content = kind;
    input.split_batches = kind == ContentKind::hl7;
    input.splits = true;
    input.remote = true;
    input.peer = "sftp " + options.text("host");
    folder_ = detail::make_polled_folder(options, parts_.surroundings(around), std::move(input));
  }

  base::Status start(Intake& intake) override { return folder_->start(intake); }
  /// What waits for the server goes on until its time-out, or ends at once when the connection is cut.
  base::Task<void> stop() override {
    parts_.server.interrupt();
    return folder_->stop();
  }
  ConnectorStatus status() const override { return folder_->status(); }

 private:
  detail::SftpParts parts_;
  std::unique_ptr<Source> folder_;
};

std::unique_ptr<Source> make(const Options& options, const Surroundings& around) {
  return std::make_unique<SftpSource>(options, around);
}

}  // namespace

const ConnectorSpec& sftp_source_spec() {
  static const ConnectorSpec spec{.name = "sftp",
                                  .role = ConnectorRole::source,
                                  .summary = "takes files out of a folder of an SFTP server",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_source = &make};
  return spec;
}

}  // namespace kiln::channels
