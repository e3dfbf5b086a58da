#include "channels/options.h"

#include <cassert>
#include <cstdlib>

#include "channels/detail/option_text.h"
#include "channels/limits.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"

namespace kiln::channels {

const OptionValue* Options::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() || found->second.empty() ? nullptr : &found->second.front();
}

std::string Options::text(std::string_view name) const {
  const OptionValue* value = find(name);
  return value == nullptr ? std::string() : value->text;
}

std::int64_t Options::number(std::string_view name) const {
  const OptionValue* value = find(name);
  return value == nullptr ? 0 : value->number;
}

const Options& Options::block(std::string_view name) const {
  static const Options empty;
  const OptionValue* value = find(name);
  return value == nullptr || value->block.empty() ? empty : value->block.front();
}

const std::vector<OptionValue>* Options::all(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

void Options::add(std::string_view name, OptionValue value) {
  values_[std::string(name)].push_back(std::move(value));
}

ReferenceSource process_references() {
  ReferenceSource out;
  out.environment = [](const char* name) -> const char* { return std::getenv(name); };
  if (const char* folder = std::getenv("CREDENTIALS_DIRECTORY")) out.credentials_folder = folder;
  return out;
}

std::string file_of(const OptionValue& value, const ReferenceSource& references) {
  if (value.origin == OptionValue::Origin::file) return value.reference;
  if (value.origin != OptionValue::Origin::cred || references.credentials_folder.empty()) return {};
  return base::join_path(references.credentials_folder, value.reference);
}

namespace {

using base::ErrorCode;


/// The text a reference stands for.
base::Result<std::string> look_up(const OptionValue& value, base::Env& env,
                                  const ReferenceSource& references) {
  if (value.origin == OptionValue::Origin::env) {
    const char* found =
        references.environment == nullptr ? nullptr : references.environment(value.reference.c_str());
    if (found == nullptr)
      return base::fail(ErrorCode::config_unresolved,
                        "the environment variable " + value.reference + " is not set");
    return std::string(found);
  }
  std::string path = value.reference;
  if (value.origin == OptionValue::Origin::cred) {
    if (references.credentials_folder.empty())
      return base::fail(ErrorCode::config_unresolved,
                        "cred(\"" + value.reference + "\"): there is no credentials folder", "",
                        "set CREDENTIALS_DIRECTORY, or start as a service with LoadCredential");
    if (path.find('/') != std::string::npos || path == ".." || path == ".")
      return base::fail(ErrorCode::config_unresolved,
                        "cred(\"" + value.reference + "\"): not a credential's name");
    path = base::join_path(references.credentials_folder, path);
  }
  auto text = env.read_file(path, limits::kSecretBytesMax);
  if (!text)
    return base::fail(ErrorCode::config_unresolved, "the secret file cannot be read", path,
                      "it must be there and readable for this user; a relative name is below the folder of the site");
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  return std::move(*text);
}

}  // namespace

base::Status resolve(Options& options, base::Env& env, const ReferenceSource& references) {
  for (auto& [name, values] : options.values()) {
    const FieldSpec* field = find_field(options.fields(), name);
    assert(field != nullptr);
    for (OptionValue& value : values) {
      if (field->later && value.origin != OptionValue::Origin::default_value)
        return base::fail(ErrorCode::E0915, "option " + name + " is not in this version");
      if (!value.resolved) {
        if (value.origin == OptionValue::Origin::file && !references.folder.empty())
          value.reference = base::join_path(references.folder, value.reference);
        TRY(std::string text, look_up(value, env, references));
        auto parsed = detail::parse_option_text(*field, std::move(text));
        if (!parsed)
          return base::fail(ErrorCode::channel_option, "option " + name + ": " + parsed.error().text);
        value.text = std::move(parsed->text);
        value.number = parsed->number;
        value.number_max = parsed->number_max;
        value.words = std::move(parsed->words);
        value.resolved = true;
      }
      for (Options& block : value.block) TRY_VOID(resolve(block, env, references));
    }
  }
  return {};
}

}  // namespace kiln::channels
