#include "report/live_sections.h"

#include <utility>

namespace clockshim {
namespace {

using live::SectionId;

struct SectionRule {
  SectionId id;
  std::size_t size;
  std::size_t alignment;
  std::uint32_t least;  // the least number of records
};
constexpr SectionRule kSectionRules[] = {
    {SectionId::clock, sizeof(live::ClockRecord), alignof(live::ClockRecord), 1},
    {SectionId::modules, sizeof(live::ModuleRecord), alignof(live::ModuleRecord), 0},
    {SectionId::sites, sizeof(live::SiteRecord), alignof(live::SiteRecord), 0},
    {SectionId::shared, sizeof(live::SharedCounts), alignof(live::SharedCounts), 1},
    {SectionId::threads, sizeof(live::ThreadTable), alignof(live::ThreadTable), 0},
    {SectionId::stacks, sizeof(live::StackRecord), alignof(live::StackRecord), 0},
    {SectionId::names, sizeof(live::NameRecord), alignof(live::NameRecord), 0},
};

}  // namespace

const live::Header* live_header(std::span<const std::byte> bytes, std::string& problem) {
  const auto refuse = [&](std::string reason) {
    problem = std::move(reason);
    return nullptr;
  };
  const auto* header = reinterpret_cast<const live::Header*>(bytes.data());
  constexpr std::size_t kEnough = offsetof(
      live::Header, sections);  // distinguishes a file that is no live file from a truncated one
  if (bytes.size() < kEnough || std::memcmp(header->magic, live::kMagic, sizeof live::kMagic) != 0)
    return refuse("is no live file");
  if (header->version != live::kVersion) {
    return refuse("is of layout version " + std::to_string(header->version) +
                  "; this command reads " + std::to_string(live::kVersion));
  }
  if (bytes.size() < sizeof(live::Header) || header->header_size > bytes.size())
    return refuse("is cut short");
  if (header->header_size < sizeof(live::Header))
    return refuse("is damaged: its header is too small");
  for (const SectionRule& rule : kSectionRules) {
    const auto index = static_cast<unsigned>(rule.id);
    const live::Section section = header->sections[index];
    if (section.count < rule.least)
      return refuse("is damaged: section " + std::to_string(index) + " is missing");
    if (section.count == 0) continue;
    if (section.at < header->header_size || section.at % rule.alignment != 0 ||
        section.size < rule.size || section.size % rule.alignment != 0) {
      return refuse("is damaged: section " + std::to_string(index) +
                    " can't be where it is said to be");
    }
    if (section.at + std::uint64_t{section.size} * section.count > bytes.size())
      return refuse("is cut short");
  }
  return header;
}

}  // namespace clockshim
