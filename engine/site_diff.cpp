#include "engine/site_diff.h"

#include <algorithm>
#include <set>

#include "engine/base/json.h"
#include "engine/detail/text_diff.h"

namespace kiln::engine {

using channels::ChannelDefinition;
using channels::DestinationDefinition;
using channels::Options;
using channels::OptionValue;
using channels::Site;

namespace {

void print_options(const Site& site, const Options& options, std::string& out);

void print_value(const Site& site, const OptionValue& value, std::string& out) {
  out += value.text + '\x1f' + std::to_string(value.number) + '\x1f' + std::to_string(value.number_max);
  for (const std::string& word : value.words) out += '\x1f' + word;
  for (const base::Span& span : value.expressions)
    out += '\x1f' + std::string(site.library->sources().text(span));
  for (const Options& block : value.block) {
    out += '{';
    print_options(site, block, out);
    out += '}';
  }
}

/// Everything a connector is made of. Holds secrets: stays in memory.
void print_options(const Site& site, const Options& options, std::string& out) {
  for (const auto& [name, values] : options.values())
    for (const OptionValue& value : values) {
      out += name + '=';
      print_value(site, value, out);
      out += '\x1e';
    }
  const channels::RetryPolicy& retry = options.retry;
  out += std::to_string(retry.forever) + ',' + std::to_string(retry.attempts_max) + ',' +
         std::to_string(retry.backoff_min_ms) + ',' + std::to_string(retry.backoff_max_ms) + ',' +
         std::to_string(retry.jitter) + ',' + std::to_string(static_cast<int>(retry.then)) + ',' +
         std::to_string(static_cast<int>(options.nak.on_error)) + ',' +
         std::to_string(static_cast<int>(options.nak.on_reject)) + ',' +
         std::to_string(options.nak.on_commit_error ? static_cast<int>(*options.nak.on_commit_error) : -1) + ',' +
         std::to_string(options.nak.on_commit_reject ? static_cast<int>(*options.nak.on_commit_reject) : -1) + ',' +
         std::to_string(static_cast<int>(options.nak.on_timeout)) + ',' +
         std::to_string(static_cast<int>(options.nak.on_mismatch));
}

/// Where its `hours` are, which the options of the source or of the server may say.
std::string zone_of_hours(const Site& site, const ChannelDefinition& channel, const Options& options) {
  const auto hours = channels::hours_of(site, channel, options);
  return hours ? std::string(hours->zone()) : std::string();
}

std::string print_destination(const Site& site, const ChannelDefinition& channel, const DestinationDefinition& destination) {
  std::string out = std::string(destination.connector->name) + '\x1e' + destination.order_id + '\x1e' +
                    std::to_string(destination.connections) + '\x1e' + zone_of_hours(site, channel, destination.options) + '\x1e';
  print_options(site, destination.options, out);
  return out;
}

/// The value as it may be shown: what came from env(), file() or cred() is not.
std::string show(const Options& options, const std::string& name) {
  const OptionValue* value = options.find(name);
  if (value == nullptr) return "nothing";
  switch (value->origin) {
    case OptionValue::Origin::env:
      return "env(\"" + value->reference + "\")";
    case OptionValue::Origin::file:
      return "file(\"" + value->reference + "\")";
    case OptionValue::Origin::cred:
      return "cred(\"" + value->reference + "\")";
    case OptionValue::Origin::literal:
    case OptionValue::Origin::default_value:
      break;
  }
  const channels::FieldSpec* field = channels::find_field(options.fields(), name);
  const bool quoted = field != nullptr && (field->type == channels::FieldType::string ||
                                           field->type == channels::FieldType::path ||
                                           field->type == channels::FieldType::name_template);
  if (!value->text.empty()) return quoted ? "\"" + value->text + "\"" : value->text;
  if (!value->block.empty() || !value->words.empty() || !value->expressions.empty()) return "other values";
  return std::to_string(value->number);
}

/// "port 2575 -> 2580, idle 60000 -> 300000".
std::string changed_options(const Site& old_site, const Options& was, const Site& new_site,
                            const Options& is) {
  std::set<std::string> names;
  for (const auto& [name, values] : was.values()) names.insert(name);
  for (const auto& [name, values] : is.values()) names.insert(name);
  std::string out;
  for (const std::string& name : names) {
    std::string before, after;
    if (const auto* values = was.all(name))
      for (const OptionValue& value : *values) print_value(old_site, value, before);
    if (const auto* values = is.all(name))
      for (const OptionValue& value : *values) print_value(new_site, value, after);
    if (before == after) continue;
    const std::string from = show(was, name), to = show(is, name);
    out += (out.empty() ? "" : ", ") + name + (from == to ? " changes" : " " + from + " -> " + to);
  }
  return out;
}

bool has_queue(const DestinationDefinition& destination) {
  return std::string_view(destination.connector->name) != "drop";
}

const DestinationDefinition* find_destination(const ChannelDefinition& channel, const std::string& name) {
  for (const DestinationDefinition& destination : channel.destinations)
    if (destination.name == name && has_queue(destination)) return &destination;
  return nullptr;
}

const ChannelDefinition* find_enabled(const Site& site, const std::string& name) {
  for (const ChannelDefinition& channel : site.channels)
    if (channel.name == name && !channel.disabled) return &channel;
  return nullptr;
}

class Differ {
 public:
  Differ(const Site& running, const Site& wanted) : running_(running), wanted_(wanted) {}

  SiteDiff compare() {
    compare_server(running_.server, wanted_.server, "");
    for (const ChannelDefinition& channel : running_.channels)
      if (!channel.disabled && find_enabled(wanted_, channel.name) == nullptr) {
        out_.channels[channel.name].kind = SiteDiff::Channel::Kind::removed;
        tell(channel.name,
             "is removed: its source stops, sends in progress end, what waits stays in the journal");
      }
    for (const ChannelDefinition& channel : wanted_.channels) {
      if (channel.disabled) continue;
      const ChannelDefinition* was = find_enabled(running_, channel.name);
      if (was != nullptr) {
        compare(*was, channel);
        continue;
      }
      out_.channels[channel.name].kind = SiteDiff::Channel::Kind::added;
      tell(channel.name, std::string("is new, source ") + channel.source->name);
    }
    compare_files();
    return std::move(out_);
  }

 private:
  void tell(const std::string& channel, const std::string& what) {
    out_.effects.push_back(channel + ": " + what);
  }

  void compare_server(const Options& was, const Options& is, const std::string& above) {
    std::set<std::string> names;
    for (const auto& [name, values] : was.values()) names.insert(name);
    for (const auto& [name, values] : is.values()) names.insert(name);
    for (const std::string& name : names) {
      const auto *before = was.all(name), *after = is.all(name);
      const bool blocks = before != nullptr && after != nullptr && before->size() == 1 &&
                          after->size() == 1 && !before->front().block.empty() &&
                          !after->front().block.empty();
      if (blocks) {
        compare_server(before->front().block.front(), after->front().block.front(), above + name + ".");
        continue;
      }
      std::string text, other;
      if (before != nullptr)
        for (const OptionValue& value : *before) print_value(running_, value, text);
      if (after != nullptr)
        for (const OptionValue& value : *after) print_value(wanted_, value, other);
      if (text != other) out_.restart.push_back(above + name);
    }
  }

  void compare(const ChannelDefinition& was, const ChannelDefinition& is) {
    SiteDiff::Channel change;
    std::string before = was.source->name, after = is.source->name;
    print_options(running_, was.source_options, before);
    print_options(wanted_, is.source_options, after);
    change.connectors.source = before != after;
    if (change.connectors.source)
      tell(is.name, "source changes (" +
                        (was.source != is.source
                             ? std::string(was.source->name) + " -> " + is.source->name
                             : changed_options(running_, was.source_options, wanted_, is.source_options)) +
                        "): it is closed after its last answer and opened again");
    compare_destinations(was, is, change.connectors);
    change.other_maps = declaration(running_, was) != declaration(wanted_, is) && !change.connectors.source &&
                        change.connectors.added.empty() && change.connectors.removed.empty() &&
                        change.connectors.changed.empty();
    if (change.other_maps)
      tell(is.name, "filter, maps, acknowledgement or conditions change, from the next message on");
    const ChannelChange& connectors = change.connectors;
    if (change.other_maps || connectors.source || !connectors.added.empty() || !connectors.removed.empty() ||
        !connectors.changed.empty())
      out_.channels[is.name] = std::move(change);
  }

  void compare_destinations(const ChannelDefinition& was, const ChannelDefinition& is,
                            ChannelChange& change) {
    for (const DestinationDefinition& old : was.destinations) {
      if (!has_queue(old) || find_destination(is, old.name) != nullptr) continue;
      change.removed.insert(old.name);
      tell(is.name, "destination " + old.name +
                        " is removed: its send in progress ends, what waits stays in the journal");
    }
    for (const DestinationDefinition& destination : is.destinations) {
      if (!has_queue(destination)) continue;
      const DestinationDefinition* old = find_destination(was, destination.name);
      if (old == nullptr) {
        change.added.insert(destination.name);
        tell(is.name, "destination " + destination.name + " is new (" + destination.connector->name +
                          "): it gets messages from now on");
        continue;
      }
      if (print_destination(running_, was, *old) == print_destination(wanted_, is, destination)) continue;
      change.changed.insert(destination.name);
      std::string what = changed_options(running_, old->options, wanted_, destination.options);
      if (old->connector != destination.connector)
        what = std::string(old->connector->name) + " -> " + destination.connector->name;
      const std::string before = zone_of_hours(running_, was, old->options), after = zone_of_hours(wanted_, is, destination.options);
      if (before != after && !before.empty() && !after.empty())
        what += (what.empty() ? "" : ", ") + std::string("zone of its hours ") + before + " -> " + after;
      if (what.empty()) what = "order by, retry or nak";
      tell(is.name, "destination " + destination.name + " changes (" + what +
                        "): its queue stays, the connection is exchanged between two sends");
    }
  }

  /// The text of the whole channel.
  static std::string declaration(const Site& site, const ChannelDefinition& channel) {
    for (const auto& file : site.library->files())
      for (const mappings::ast::Decl& decl : file->tree.decls)
        if (const auto* found = decl.get_if<mappings::ast::ChannelDecl>();
            found != nullptr && found->name.text == channel.name)
          return std::string(site.library->sources().text(decl.span));
    return {};
  }

  void compare_files() {
    const auto find = [](const Site& site, const std::string& name) -> const std::string* {
      for (const auto& [file, text] : site.files)
        if (file == name) return &text;
      return nullptr;
    };
    for (const auto& [name, text] : running_.files)
      if (find(wanted_, name) == nullptr) add_file(name, "removed", text, {});
    for (const auto& [name, text] : wanted_.files) {
      const std::string* old = find(running_, name);
      if (old == nullptr)
        add_file(name, "added", {}, text);
      else if (*old != text)
        add_file(name, "changed", *old, text);
    }
    for (const SiteDiff::File& file : out_.files)
      if (file.name.ends_with(".hmap") || file.name.starts_with("tables/"))
        out_.effects.push_back(file.name + ": is " + file.change + ", used from the next message on");
  }

  void add_file(const std::string& name, const char* change, const std::string& was, const std::string& is) {
    out_.files.push_back({name, change, detail::unified_diff(was, is)});
  }

  const Site& running_;
  const Site& wanted_;
  SiteDiff out_;
};

}  // namespace

SiteDiff diff_sites(const Site& running, const Site& wanted) {
  return Differ(running, wanted).compare();
}

std::string print_diff(const SiteDiff& diff, const std::string& running, const std::string& wanted) {
  base::JsonWriter out;
  out.begin_object().member("running", running).member("disk", wanted).key("same").boolean(diff.same());
  out.key("effects").begin_array();
  for (const std::string& line : diff.effects) out.string(line);
  out.end_array().key("restart").begin_array();
  for (const std::string& option : diff.restart) out.string("server: " + option);
  out.end_array().key("files").begin_array();
  for (const SiteDiff::File& file : diff.files) {
    out.begin_object().member("path", file.name).member("change", file.change);
    out.member("diff", file.diff).end_object();
  }
  return out.end_array().end_object().take();
}

}  // namespace kiln::engine
