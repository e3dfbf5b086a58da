#include "engine/detail/input.h"

#include "engine/base/diagnostic.h"
#include "hl7/structure.h"
#include "mappings/package.h"

namespace kiln::engine::detail {

using base::Result;
using base::Status;
using channels::ContentKind;

namespace {

std::string option_or(const channels::Options& options, const char* name) {
  return channels::find_field(options.fields(), name) != nullptr ? options.text(name) : std::string();
}

/// Zone of times without offset: the source's, else the server's, else UTC.
std::shared_ptr<const base::TimeZone> zone_of(const channels::Site& site,
                                              const channels::ChannelDefinition& channel) {
  std::string name = option_or(channel.source_options, "timezone");
  if (name.empty()) name = option_or(site.server, "timezone");
  if (name.empty()) return nullptr;
  const auto zone = base::TimeZone::find(name);
  return zone ? std::make_shared<const base::TimeZone>(*zone) : nullptr;
}

/// A frame or file part is one message. Two run together would be mapped and acknowledged as the first, and
/// the second would be lost: the sender is told instead.
Status refuse_second_header(const hl7::Message& message) {
  for (std::uint32_t i = 1; i < message.segment_count(); ++i)
    if (message.segment(i).id() == hl7::segment_id("MSH")) return base::fail(base::ErrorCode::second_header);
  return {};
}

}  // namespace

hl7::ParseOptions parse_options(const channels::ChannelDefinition& channel) {
  hl7::ParseOptions options;
  const std::string charset = option_or(channel.source_options, "charset");
  if (const auto found = hl7::Charset::find(charset); !charset.empty() && found)
    options.charset_default = *found;
  return options;
}

Result<Input> Input::read(const channels::Site& site, const channels::ChannelDefinition& channel,
                          const NewMessage& message) {
  Input input;
  input.kind_ = message.kind;
  input.zone_ = zone_of(site, channel);
  input.context_.received = message.received;
  input.context_.channel = channel.name;
  input.context_.timezone = input.zone_.get();
  input.context_.tables = site.tables.get();
  switch (message.kind) {
    case ContentKind::hl7: {
      TRY(auto parsed, hl7::Message::parse(message.body, parse_options(channel)));
      TRY_VOID(refuse_second_header(parsed));
      input.message_ = std::make_unique<hl7::Message>(std::move(parsed));
      input.accept_hl7(channel);
      break;
    }
    case ContentKind::fhir: {
      TRY(input.json_, base::parse_json(message.body));
      input.accept_fhir(channel);
      break;
    }
    case ContentKind::csv:
      TRY_VOID(input.read_csv(site, channel, message.body));
      break;
  }
  return input;
}

/// A channel without `accept` takes everything; its conditions and maps then have one compiled form.
void Input::accept_hl7(const channels::ChannelDefinition& channel) {
  if (channel.accept.empty()) {
    accepted_ = 0;
    return;
  }
  const hl7::SegmentView header = message_->header();
  const std::string code = header.field(9).component(1).to_text();
  const std::string trigger = header.field(9).component(2).to_text();
  const std::string structure = header.field(9).component(3).to_text();
  const std::string version = header.field(12).component(1).to_text();
  std::vector<std::uint32_t> segments;
  for (std::uint32_t i = 0; i < message_->segment_count(); ++i) segments.push_back(message_->segment(i).id());
  const hl7::StructureChoice choice = hl7::choose_structure({code, trigger, structure, version}, segments);
  for (std::size_t i = 0; i < channel.accept.size(); ++i) {
    const channels::AcceptType& type = channel.accept[i];
    const bool same_event = type.event.empty() || type.event == code + "^" + trigger;
    const bool same_structure = choice.structure != nullptr && choice.structure->id() == type.structure;
    if (same_event && (same_structure || !type.event.empty())) {
      accepted_ = i;
      return;
    }
    if (type.structure.starts_with(code + "_")) refusal_code_ = 201;
  }
}

void Input::accept_fhir(const channels::ChannelDefinition& channel) {
  const std::string_view type = json_.root()["resourceType"].text();
  for (std::size_t i = 0; i < channel.accept.size() && !accepted_; ++i)
    if (channel.accept[i].name == type) accepted_ = i;
  if (channel.accept.empty()) accepted_ = 0;
}

Status Input::read_csv(const channels::Site& site, const channels::ChannelDefinition& channel,
                       const std::string& body) {
  const std::string wanted = channel.accept.empty() && !channel.maps.empty()
                                 ? channel.maps.front().program.input().name
                             : channel.accept.empty() ? std::string()
                                                      : channel.accept.front().name;
  for (const auto& declaration : site.library->declarations()) {
    if (declaration->kind != mappings::DeclKind::csv) continue;
    if (declaration->qualified() != wanted && declaration->name != wanted) continue;
    base::Diagnostics ignored;  // the declaration was checked when the site was loaded
    format_ = mappings::csv_format(std::get<mappings::ast::CsvDecl>(declaration->decl->node), ignored);
    TRY(auto file, mappings::CsvFile::read(body, format_));
    csv_ = std::make_unique<mappings::CsvFile>(std::move(file));
    accepted_ = 0;
    return {};
  }
  return base::fail(base::ErrorCode::internal, "the csv declaration of this channel is not in the site");
}

mappings::RunInput Input::run_input() const {
  switch (kind_) {
    case ContentKind::hl7:
      return message_.get();
    case ContentKind::fhir:
      return json_.root();
    case ContentKind::csv:
      break;
  }
  return csv_->input();
}

std::string Input::rows_text(const std::vector<std::uint32_t>& rows) const {
  std::string out;
  mappings::append_csv_header(out, format_);
  for (const std::uint32_t row : rows) {
    std::vector<std::string_view> cells;
    for (std::size_t column = 0; column < csv_->columns(); ++column)
      cells.push_back(csv_->cell(row - 1, column));
    mappings::append_csv_row(out, cells, format_);
  }
  return out;
}

}  // namespace kiln::engine::detail
