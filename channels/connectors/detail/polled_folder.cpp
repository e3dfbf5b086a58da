#include "channels/connectors/detail/polled_folder.h"

#include <map>

#include "channels/connectors/detail/loop_source.h"
#include "channels/connectors/detail/mllp_batch.h"
#include "hl7/batch.h"

namespace kiln::channels::detail {

namespace {

using base::ErrorCode;

constexpr int kNameTriesMax =
    10'000;  ///< numbered names tried when a file of that name is in the archive already

/// A file that was seen, to find out whether it still changes.
struct Seen {
  std::uint64_t size = 0;
  base::WallTime modified;
  base::MonoTime since{0};
};

/// What one look found.
struct Look {
  std::vector<std::string> names;
  std::optional<base::Error> error;
};

/// A file in the work folder with what makes it known after an interruption.
struct Picked {
  std::string name;
  base::FileInfo info;
  std::string bytes;
  std::optional<base::Error> error;
  std::string refused;     ///< why it goes to `failed` whatever becomes of its messages
  std::string incomplete;  ///< what its envelope says of messages that are not there
};

/// Moves without replacing: "a.hl7", then "a.hl7.2", "a.hl7.3", …
base::Status move_numbered(base::Env& env, const std::string& from, const std::string& folder,
                           const std::string& name) {
  for (int i = 1; i <= kNameTriesMax; ++i) {
    const std::string target = base::join_path(folder, i == 1 ? name : name + "." + std::to_string(i));
    if (env.exists(target)) continue;
    return env.rename(from, target, false);
  }
  return base::fail(ErrorCode::io_failed, "too many files of one name", base::join_path(folder, name));
}

/// Beside those of an earlier file of the same name: "a.csv.results.jsonl", then "a.csv.2.results.jsonl", … What is there
/// already with the same content was written before an interruption.
base::Status write_results(base::Env& env, const std::string& path, const std::string& lines, const std::string& acks) {
  for (int i = 1; i <= kNameTriesMax; ++i) {
    const std::string stem = i == 1 ? path : path + "." + std::to_string(i);
    const std::string results = stem + ".results.jsonl";
    const bool is_new = !env.exists(results);
    if (!is_new && env.read_file(results, lines.size()).value_or(std::string()) != lines) continue;
    if (!acks.empty()) TRY_VOID(env.write_file_atomic(stem + ".ack", acks));
    return is_new ? env.write_file_atomic(results, lines) : base::Status();
  }
  return base::fail(ErrorCode::io_failed, "too many results of one name", path);
}

class PolledFolder final : public LoopSource {
 public:
  PolledFolder(const Options& options, const Surroundings& around, FolderInput input)
      : LoopSource(options, around), input_(std::move(input)), folder_(site_path(around, options.text("folder"))) {
    archive_ = sub_folder("archive");
    failed_ = sub_folder("failed");
    work_ = sub_folder("work");
    if (options_.has("results")) results_ = sub_folder("results");
  }

 private:
  base::Status prepare() override;
  base::Task<std::int64_t> round() override;
  std::string sub_folder(const char* option) const {
    const std::string path = options_.text(option);
    return path.find('/') == std::string::npos ? base::join_path(folder_, path) : site_path(around_, path);
  }
  base::Status make_folders();
  Look look();
  std::optional<Picked> pick(const std::string& name);
  std::vector<Inbound> messages_of(Picked& file, std::vector<Unframed>* noise) const;
  std::vector<Inbound> parts_of(Picked& file, Inbound message, const std::string& key, std::vector<Unframed>* noise) const;
  base::Task<void> take_file(std::string name);
  base::Task<Taken> give(Picked file);
  base::Task<bool> tell(Picked file, std::vector<Answer> answers);
  base::Task<void> finish(std::string name, Taken taken);

  FolderInput input_;
  bool folders_made_ = false;  ///< used in file work only
  std::string folder_, archive_, failed_, work_, results_;  ///< `results_` may be empty: none are wanted
  std::string refused_;  ///< of the file under way: why it goes to `failed`
  std::map<std::string, Seen> seen_;  ///< used in file work only, one at a time
};

/// Those below or beside the folder. An error names the option.
base::Status PolledFolder::make_folders() {
  if (folders_made_) return {};
  const std::pair<const char*, const std::string*> folders[] = {
      {"archive", &archive_}, {"failed", &failed_}, {"work", &work_}, {"results", &results_}};
  for (const auto& [option, path] : folders) {
    const auto made = path->empty() ? base::Status() : around_.env.make_folders(*path);
    if (!made) return option_error(option, made.error());
  }
  folders_made_ = true;
  return {};
}

base::Status PolledFolder::prepare() {
  // A folder of the site is made; one elsewhere must be there, since a wrong name would wait for files for ever.
  if (input_.remote) return {};
  if (options_.text("folder").starts_with('/') && !around_.env.exists(folder_))
    return base::fail(ErrorCode::channel_option, "option folder: the folder does not exist", folder_, "create it");
  const auto made = around_.env.make_folders(folder_);
  if (!made) return option_error("folder", made.error());
  return make_folders();
}

/// Files left in the work folder first, then those that fit the pattern and have not changed for the stable
/// time; each in order of name.
Look PolledFolder::look() {
  Look out;
  // A folder that went away (unmounted, tidied up) is not made anew in its place; what belongs below it is, when it is back.
  if (!input_.remote && !around_.env.exists(folder_)) {
    folders_made_ = false;
    out.error = base::Error{ErrorCode::file_not_found, "option folder: the folder does not exist", folder_, "create it"};
    return out;
  }
  if (const auto made = make_folders(); !made) {
    out.error = made.error();
    return out;
  }
  const auto left = around_.env.list(work_);
  folders_made_ = left.has_value();
  if (!left) out.error = left.error();
  if (left)
    for (const base::FileInfo& file : *left)
      if (file.is_regular) out.names.push_back(file.name);
  const auto files = around_.env.list(folder_);
  if (!files) out.error = files.error();
  if (!files) return out;
  std::map<std::string, Seen> now_seen;
  const auto now = around_.clock.mono();
  const auto stable = std::chrono::milliseconds(options_.number("stable"));
  for (const base::FileInfo& file : *files) {
    if (!file.is_regular || !matches_pattern(file.name, options_.text("pattern"))) continue;
    const auto before = seen_.find(file.name);
    const bool same =
        before != seen_.end() && before->second.size == file.size && before->second.modified == file.modified;
    const Seen seen{file.size, file.modified, same ? before->second.since : now};
    if (now - seen.since >= stable && (same || stable.count() == 0)) out.names.push_back(file.name);
    now_seen.emplace(file.name, seen);
  }
  seen_ = std::move(now_seen);
  return out;
}

/// Moves a file into the work folder unless it is there, and reads it. Nothing when it is gone or cannot be
/// moved.
std::optional<Picked> PolledFolder::pick(const std::string& name) {
  const std::string path = base::join_path(work_, name);
  if (!around_.env.exists(path)) {
    const auto moved = around_.env.rename(base::join_path(folder_, name), path, false);
    if (!moved && moved.error().code == ErrorCode::file_not_found) return std::nullopt;
    if (!moved) {
      Picked stays;
      stays.error = moved.error();
      return stays;
    }
  }
  Picked out;
  out.name = name;
  const auto info = around_.env.info(path);
  if (!info) return std::nullopt;
  out.info = *info;
  auto bytes = around_.env.read_file(path, static_cast<std::uint64_t>(options_.number("max_file")));
  if (bytes)
    out.bytes = std::move(*bytes);
  else
    out.error = bytes.error();
  return out;
}

/// The parts of a file that `split` tells apart. The same file gives the same parts, so that each is known by its place.
std::vector<Inbound> PolledFolder::parts_of(Picked& file, Inbound message, const std::string& key,
                                            std::vector<Unframed>* noise) const {
  auto split = split_file(split_of(options_), file.bytes, delimiter_of(options_));
  std::vector<Inbound> out;
  if (!split) {
    file.error = split.error();
    return out;
  }
  for (SplitItem& item : split->items) {
    Inbound one = message;
    one.key = key + "#" + std::to_string(out.size() + 1);
    if (!item.name.empty()) one.name = std::move(item.name);
    one.bytes = std::move(item.bytes);
    out.push_back(std::move(one));
  }
  for (std::string& note : split->notes) {
    Unframed what;
    what.kind = Unframed::Kind::unreadable;
    what.peer = input_.peer;
    what.name = file.name;
    what.detail = std::move(note);
    what.received_at = message.received_at;
    noise->push_back(std::move(what));
  }
  return out;
}

std::vector<Inbound> PolledFolder::messages_of(Picked& file, std::vector<Unframed>* noise) const {
  const std::string key =
      file.name + ":" + std::to_string(file.info.size) + ":" + std::to_string(file.info.modified.micros);
  std::vector<Inbound> out;
  Inbound message;
  message.kind = input_.content;
  message.peer = input_.peer;
  message.name = file.name;
  message.received_at = around_.clock.wall();
  if (input_.splits && split_of(options_) != Split::none) return parts_of(file, std::move(message), key, noise);
  if (!input_.split_batches) {
    message.key = key;
    message.bytes = file.bytes;
    out.push_back(std::move(message));
    return out;
  }
  const hl7::Batch batch = hl7::split_batch(file.bytes);
  if (!batch.counts_agree) file.refused = "the counts of its trailers do not agree with what it holds";
  for (const base::Error& problem : batch.problems) {
    Unframed what;
    what.kind = Unframed::Kind::garbage;
    what.peer = input_.peer;
    what.name = file.name;
    what.detail = "batch: " + problem.text;
    what.received_at = message.received_at;
    noise->push_back(std::move(what));
    file.incomplete += (file.incomplete.empty() ? "" : "; ") + problem.text;
  }
  for (const hl7::Slice& slice : batch.messages) {
    Inbound one = message;
    one.key = key + "#" + std::to_string(out.size() + 1);
    one.bytes = std::string(slice.of(file.bytes));
    out.push_back(std::move(one));
  }
  for (const hl7::Slice& slice : batch.noise) {
    Unframed what;
    what.kind = Unframed::Kind::garbage;
    what.head = std::string(slice.of(file.bytes).substr(0, base::limits::kMllpGarbageMax));
    what.bytes = slice.end - slice.begin;
    what.peer = input_.peer;
    what.name = file.name;
    what.detail = "bytes between messages of a file";
    what.received_at = message.received_at;
    noise->push_back(std::move(what));
  }
  return out;
}

base::Task<Taken> PolledFolder::give(Picked file) {
  std::vector<Unframed> reports;
  std::vector<Inbound> messages;
  if (!file.error) messages = messages_of(file, &reports);
  if (messages.empty()) {
    Unframed what;
    const bool large = file.error && file.error->code == ErrorCode::limit_exceeded;
    what.kind = large ? Unframed::Kind::oversize : Unframed::Kind::unreadable;
    what.head = file.bytes.substr(0, base::limits::kMllpGarbageMax);
    what.bytes = file.info.size;
    what.peer = input_.peer;
    what.name = file.name;
    what.detail = !file.error                ? "no message in the file"
                  : file.error->text.empty() ? base::error_info(file.error->code).text
                                             : file.error->text;
    what.received_at = around_.clock.wall();
    file.refused = what.detail;
    reports.push_back(std::move(what));
  }
  for (Unframed& what : reports) {
    auto reporting = report(std::move(what));
    co_await std::move(reporting);
  }
  refused_ = file.refused;
  auto accepting = accept_in_steps(intake_, &around_.network.executor(), std::move(messages), !results_.empty());
  std::vector<Answer> answers = co_await std::move(accepting);
  Taken worst = Taken::stored;
  bool pending = false;
  for (const Answer& answer : answers) {
    pending = pending || answer.pending;
    if (answer.pending) continue;
    worst = std::max(worst, answer.taken);
    if (answer.taken != Taken::not_stored) ++status_.messages;
  }
  // What is still on its way is asked for again at the next look, by its place in the file.
  if (pending && worst != Taken::not_stored) status_.last_error = "messages of a file are not delivered yet";
  if (pending) co_return Taken::not_stored;
  if (worst == Taken::not_stored) status_.last_error = "the messages of a file were not stored; it will be tried again";
  if (!refused_.empty() && worst == Taken::stored) worst = Taken::refused;
  if (worst == Taken::not_stored || results_.empty()) co_return worst;
  auto telling = tell(std::move(file), std::move(answers));
  const bool told = co_await std::move(telling);
  // The messages are known by their places: the next look gives them again and gets the same answers.
  co_return told ? worst : Taken::not_stored;
}

/// What became of each message of the file, before the file leaves the work folder.
base::Task<bool> PolledFolder::tell(Picked file, std::vector<Answer> answers) {
  std::string lines = print_results(answers, file.incomplete.empty() ? file.refused : file.incomplete), acks;
  if (input_.split_batches && !answers.empty()) {
    Inbound whole;
    whole.bytes = std::move(file.bytes);
    whole.received_at = file.info.modified;
    const hl7::Batch batch = hl7::split_batch(whole.bytes);
    acks = batch_answer(whole, batch, std::move(answers), false);
  }
  std::function<base::Status()> write = [this, name = file.name, lines = std::move(lines), acks = std::move(acks)] {
    return write_results(around_.env, base::join_path(results_, name), lines, acks);
  };
  const auto writing = offload(around_.file_work, around_.network.executor(), std::move(write));
  const auto written = co_await writing;
  if (!written) failing(written.error());
  co_return written.has_value();
}

base::Task<void> PolledFolder::finish(std::string name, Taken taken) {
  if (taken == Taken::not_stored) co_return;
  const std::string target = taken == Taken::stored ? archive_ : failed_;
  std::function<base::Status()> move = [this, name, target] {
    return move_numbered(around_.env, base::join_path(work_, name), target, name);
  };
  const auto moving = offload(around_.file_work, around_.network.executor(), std::move(move));
  const auto moved = co_await moving;
  status_.last_error.clear();
  if (taken == Taken::refused) status_.last_error = "a file went to `failed`" + (refused_.empty() ? "" : ": " + refused_);
  if (!moved) failing(moved.error());
}

base::Task<void> PolledFolder::take_file(std::string name) {
  std::function<std::optional<Picked>()> pick = [this, name] { return this->pick(name); };
  const auto picking = offload(around_.file_work, around_.network.executor(), std::move(pick));
  auto picked = co_await picking;
  if (!picked) co_return;
  const bool again = picked->error && picked->error->code != ErrorCode::limit_exceeded;
  if (again) {  // the disk, not the file: the same file may be readable later
    failing(*picked->error);
    co_return;
  }
  auto giving = give(std::move(*picked));
  const Taken taken = co_await std::move(giving);
  auto finishing = finish(name, taken);
  co_await std::move(finishing);
}

base::Task<std::int64_t> PolledFolder::round() {
  std::function<Look()> look = [this] { return this->look(); };
  const auto looking = offload(around_.file_work, around_.network.executor(), std::move(look));
  const Look found = co_await looking;
  if (found.error) failing(*found.error);
  for (std::size_t i = 0; i < found.names.size() && !stopping(); ++i) {
    auto taking = take_file(found.names[i]);
    co_await std::move(taking);
  }
  co_return options_.number("poll");
}

}  // namespace

bool matches_pattern(std::string_view name, std::string_view pattern) {
  std::size_t n = 0, p = 0, star = std::string_view::npos, mark = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == name[n] && pattern[p] != '*'))) {
      ++n;
      ++p;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::unique_ptr<Source> make_polled_folder(const Options& options, const Surroundings& around, FolderInput input) {
  return std::make_unique<SharedSource<PolledFolder>>(std::make_shared<PolledFolder>(options, around, std::move(input)));
}

}  // namespace kiln::channels::detail
