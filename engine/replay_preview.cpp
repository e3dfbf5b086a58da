#include "engine/replay_preview.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "engine/base/text.h"
#include "engine/detail/text_diff.h"
#include "engine/limits.h"
#include "engine/process.h"
#include "engine/site_version.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using Compared = ReplayPreview::Compared;

namespace {

std::string short_name(const std::string& destination) {
  const auto slash = destination.find('/');
  return slash == std::string::npos ? destination : destination.substr(slash + 1);
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string with_lines(channels::ContentKind kind, std::string text) {
  if (kind == channels::ContentKind::hl7) std::replace(text.begin(), text.end(), '\r', '\n');
  if (kind != channels::ContentKind::fhir) return text;
  const auto document = base::parse_json(text);
  return document ? base::print_json(document->root(), true) : text;
}

/// One pass over what matches.
class Preview {
 public:
  Preview(JournalReader& reader, std::shared_ptr<const channels::Site> site, const ReplaySpec& spec,
          const PreviewOptions& options)
      : reader_(reader), site_(std::move(site)), spec_(spec), options_(options) {
    processor_.use_lookups(options.lookups);
  }

  Result<ReplayPreview> run() {
    TRY(const Query query, parse_query_text(spec_.query, spec_.asked));
    SearchOptions search;
    search.oldest_first = true;
    search.limit = limits::kReplayPageMax;
    while (true) {
      TRY(const auto page, reader_.search(query, search));
      for (const MessageSummary& summary : page) {
        if (spec_.up_to != 0 && summary.id > spec_.up_to) break;
        if (++out_.matched > options_.limit)
          return base::fail(ErrorCode::limit_exceeded,
                            "more than " + std::to_string(options_.limit) + " messages match", {},
                            "narrow the query, or raise --limit");
        TRY(const bool go_on, take(summary));
        if (!go_on) return std::move(out_);
      }
      if (page.size() < search.limit || (spec_.up_to != 0 && page.back().id > spec_.up_to)) break;
      search.after = page.back().id;
    }
    if (options_.check_stale && !keys_.empty()) TRY_VOID(find_newer());
    return std::move(out_);
  }

 private:
  const channels::ChannelDefinition* channel_of(const MessageSummary& summary) const {
    return find_channel(*site_, spec_.channel.empty() ? summary.channel : spec_.channel);
  }

  Plan plan_of(const channels::ChannelDefinition& channel, StoredMessage& stored) {
    stored.message.channel = channel.name;
    stored.message.replay_of = stored.id;
    stored.message.step = std::nullopt;
    if (spec_.fresh_lookups) stored.message.lookups.clear();
    return processor_.process(*site_, channel, stored.message);
  }

  Result<bool> take(const MessageSummary& summary) {
    out_.newest = summary.id;
    out_.replays += summary.replay_of == 0 ? 0 : 1;
    ReplayPreview::Line line;
    line.id = summary.id;
    line.channel = summary.channel;
    line.type = summary.type;
    const channels::ChannelDefinition* channel = channel_of(summary);
    const ReplayTargets targets = choose_targets(summary, spec_);
    out_.sent += targets.left_out.empty() ? 0 : 1;
    line.skipped =
        channel == nullptr || channel->disabled ? "this site has no such channel" : targets.skipped;
    if (!line.skipped.empty()) {
      ++out_.skipped;
    } else {
      TRY(StoredMessage stored, reader_.message(summary.id));
      compare(summary, *channel, targets, stored, line);
    }
    if (options_.on_line) return options_.on_line(line);
    if (out_.lines.size() < limits::kPreviewLinesMax) out_.lines.push_back(std::move(line));
    return true;
  }

  void compare(const MessageSummary& summary, const channels::ChannelDefinition& channel,
               const ReplayTargets& targets, StoredMessage& stored, ReplayPreview::Line& line) {
    const Plan plan = plan_of(channel, stored);
    static constexpr const char* kVerdicts[] = {"accepted", "rejected", "quarantined", "filtered"};
    line.verdict = kVerdicts[static_cast<std::size_t>(plan.verdict)];
    line.reason = plan.reason;
    const auto wanted = [this, &targets](const std::string& name) {
      return (targets.everywhere || contains(targets.names, name)) && !contains(targets.waiting, name) &&
             (options_.compare || !contains(targets.left_out, name));
    };
    for (const Output& output : plan.outputs) {
      if (!wanted(output.destination)) continue;
      if (!output.order_key.empty()) note_key(channel.name, output.destination, output.order_key, summary.id);
      line.parts.push_back(
          part_of(summary, channel.name, output, output.is_source ? stored.message.body : output.body));
    }
    if (!options_.compare) return;
    for (const DestinationState& state : summary.destinations) {
      const std::string name = short_name(state.destination);
      const bool sent = !state.pending && state.ending.state == DeliveryState::sent && state.ending.code != "dropped";
      const bool made = std::any_of(line.parts.begin(), line.parts.end(),
                                    [&name](const auto& part) { return part.destination == name; });
      if (!sent || made || !wanted(name)) continue;
      ReplayPreview::Part part;
      part.destination = name;
      part.compared = Compared::gone;
      ++out_.gone;
      line.parts.push_back(std::move(part));
    }
  }

  ReplayPreview::Part part_of(const MessageSummary& summary, const std::string& channel, const Output& output,
                              const std::string& body) {
    ReplayPreview::Part part;
    part.destination = output.destination;
    part.bytes = body.size();
    part.sha256 = base::sha256_hex(body);
    if (!options_.compare) return part;
    const std::string address = summary.channel + "/" + output.destination;
    const DestinationState* before = nullptr;
    for (const DestinationState& state : summary.destinations)
      if (state.destination == address && channel == summary.channel) before = &state;
    if (before == nullptr || before->pending || before->ending.state != DeliveryState::sent) {
      part.compared = Compared::added;
      ++out_.added;
      return part;
    }
    const auto kept = reader_.sent_output(summary.id, address);
    if (!kept) {
      ++out_.unknown;
      return part;
    }
    part.compared = kept->body == body ? Compared::same : Compared::changed;
    ++(part.compared == Compared::same ? out_.same : out_.changed);
    if (part.compared == Compared::same) return part;
    part.paths = changed_paths(output.kind, kept->body, body);
    for (const std::string& path : part.paths) ++out_.paths[path];
    if (options_.with_diff)
      part.diff = detail::unified_diff(with_lines(output.kind, kept->body), with_lines(output.kind, body));
    return part;
  }

  /// The newest matched message of each key.
  void note_key(const std::string& channel, const std::string& destination, const std::string& key,
                MessageId id) {
    MessageId& oldest = keys_.try_emplace({channel + "/" + destination, key}, id).first->second;
    oldest = std::min(oldest, id);
    matched_.insert(id);
    first_ = first_ == 0 ? id : std::min(first_, id);
  }

  /// Messages that were sent after one that is matched, with the key of it.
  base::Status find_newer() {
    std::set<std::pair<std::string, std::string>> stale;
    std::size_t looked = 0;
    Query everything;
    SearchOptions search;
    search.oldest_first = true;
    search.after = first_;
    search.limit = limits::kReplayPageMax;
    while (true) {
      TRY(const auto page, reader_.search(everything, search));
      for (const MessageSummary& summary : page) {
        if (matched_.contains(summary.id) || summary.is_part()) continue;
        if (++looked > limits::kStaleLookMax) {
          out_.stale_complete = false;
          break;
        }
        TRY_VOID(look_at_newer(summary, stale));
      }
      if (page.size() < search.limit || !out_.stale_complete) break;
      search.after = page.back().id;
    }
    out_.stale = stale.size();
    return {};
  }

  base::Status look_at_newer(const MessageSummary& summary,
                             std::set<std::pair<std::string, std::string>>& stale) {
    const channels::ChannelDefinition* channel = find_channel(*site_, summary.channel);
    const auto is_sent = [&summary](const std::string& name) {
      return std::any_of(summary.destinations.begin(), summary.destinations.end(),
                         [&](const DestinationState& state) {
                           return state.destination == summary.channel + "/" + name && !state.pending &&
                                  state.ending.state == DeliveryState::sent;
                         });
    };
    const bool keyed =
        channel != nullptr && std::any_of(channel->destinations.begin(), channel->destinations.end(),
                                          [&](const auto& one) { return one.ordered && is_sent(one.name); });
    if (!keyed) return {};
    TRY(StoredMessage stored, reader_.message(summary.id));
    const Plan plan = plan_of(*channel, stored);
    for (const Output& output : plan.outputs) {
      const std::pair<std::string, std::string> key{channel->name + "/" + output.destination,
                                                    output.order_key};
      const auto found = keys_.find(key);
      if (found != keys_.end() && found->second < summary.id && is_sent(output.destination))
        stale.insert(key);
    }
    return {};
  }

  JournalReader& reader_;
  std::shared_ptr<const channels::Site> site_;
  const ReplaySpec& spec_;
  const PreviewOptions& options_;
  Processor processor_;
  ReplayPreview out_;
  std::map<std::pair<std::string, std::string>, MessageId> keys_;
  std::set<MessageId> matched_;
  MessageId first_ = 0;
};

void leaves_of(base::JsonView view, const std::string& path, std::multimap<std::string, std::string>& out) {
  if (view.is_object()) {
    for (const base::JsonView member : view) leaves_of(member, path + "." + std::string(member.key()), out);
  } else if (view.is_array()) {
    for (const base::JsonView value : view) leaves_of(value, path, out);
  } else {
    out.emplace(path, view.text());
  }
}

std::multimap<std::string, std::string> fields_of(const std::string& text) {
  std::multimap<std::string, std::string> out;
  for (const std::string_view segment : base::split(text, '\r')) {
    if (segment.size() < 4) continue;
    const std::string id(segment.substr(0, 3));
    std::size_t number = id == "MSH" ? 1 : 0;
    for (const std::string_view field : base::split(segment.substr(4), segment[3])) {
      ++number;
      if (!field.empty()) out.emplace(id + "-" + std::to_string(number), field);
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> changed_paths(channels::ContentKind kind, const std::string& was,
                                       const std::string& is) {
  std::multimap<std::string, std::string> before, after;
  if (kind == channels::ContentKind::hl7) {
    before = fields_of(was);
    after = fields_of(is);
  } else if (kind == channels::ContentKind::fhir) {
    const auto old_json = base::parse_json(was), new_json = base::parse_json(is);
    if (old_json) leaves_of(old_json->root(), std::string(old_json->root()["resourceType"].text()), before);
    if (new_json) leaves_of(new_json->root(), std::string(new_json->root()["resourceType"].text()), after);
  } else {
    return {"lines"};
  }
  std::set<std::string> names, changed;
  for (const auto* side : {&before, &after})
    for (const auto& [path, value] : *side) names.insert(path);
  for (const std::string& name : names) {
    const auto [old_begin, old_end] = before.equal_range(name);
    const auto [new_begin, new_end] = after.equal_range(name);
    if (!std::equal(old_begin, old_end, new_begin, new_end)) changed.insert(name);
  }
  return {changed.begin(), changed.end()};
}

bool is_open(const DestinationState& state, MessageId released_as) {
  if (state.pending || state.ending.state != DeliveryState::quarantined) return false;
  return !state.note || state.note->resolution == Resolution::open ||
         (released_as != 0 && state.note->released_as == released_as);
}

namespace {

/// Those of `to` that are meant of a message that goes through `channel`, without it.
std::vector<std::string> names_in(const std::string& channel, const std::vector<std::string>& to) {
  std::vector<std::string> out;
  for (const std::string& name : to) {
    const auto slash = name.find('/');
    if (slash == std::string::npos || name.compare(0, slash, channel) == 0) out.push_back(short_name(name));
  }
  return out;
}

}  // namespace

ReplayTargets choose_targets(const MessageSummary& summary, const ReplaySpec& spec, MessageId released_as) {
  ReplayTargets out;
  bool whole = false;
  std::vector<std::string> failed, sent, waiting;
  for (const DestinationState& state : summary.destinations) {
    if (state.pending) {
      if (state.destination != kNoDestination) waiting.push_back(short_name(state.destination));
      continue;
    }
    const DeliveryState ending = state.ending.state;
    if (ending == DeliveryState::sent && state.destination != kNoDestination)
      sent.push_back(short_name(state.destination));
    if (ending != DeliveryState::quarantined && ending != DeliveryState::rejected &&
        ending != DeliveryState::expired)
      continue;
    if (ending == DeliveryState::quarantined && !is_open(state, released_as)) continue;
    if (state.destination == kNoDestination)
      whole = true;
    else
      failed.push_back(short_name(state.destination));
  }
  const bool elsewhere = !spec.channel.empty() && spec.channel != summary.channel;
  out.everywhere = contains(spec.to, "all") || (spec.to.empty() && (whole || elsewhere));
  out.names = spec.to.empty() ? failed : names_in(elsewhere ? spec.channel : summary.channel, spec.to);
  if (summary.is_part()) out.skipped = "a part of another message: kiln quarantine release " + std::to_string(summary.id) + ", or replay the whole";
  if (!out.everywhere && out.names.empty())
    out.skipped = spec.to.empty() ? "it failed nowhere; name destinations with --to" : "its channel has no such destination";
  if (!elsewhere) {
    for (const std::string& name : waiting)
      if (out.everywhere || contains(out.names, name)) out.waiting.push_back(name);
    const auto waits = [&out](const std::string& name) { return contains(out.waiting, name); };
    if (!out.everywhere && !out.names.empty() && std::all_of(out.names.begin(), out.names.end(), waits))
      out.skipped = "it waits there already";
  }
  if (spec.include_sent || elsewhere) return out;
  for (const std::string& name : sent)
    if (out.everywhere || contains(out.names, name)) out.left_out.push_back(name);
  return out;
}

Result<ReplayPreview> preview_replay(JournalReader& reader, std::shared_ptr<const channels::Site> site,
                                     const ReplaySpec& spec, const PreviewOptions& options) {
  return Preview(reader, std::move(site), spec, options).run();
}

}  // namespace kiln::engine
