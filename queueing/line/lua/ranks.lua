-- ranks: the places of some entries, as text: each reply of its own would take the caller longer than all the rest.
-- ARGV    1 ids (at most 500), separated by newlines
--         2 their scores, in the same order
-- Return  a line for each: "<number ahead of it> <number of held ones ahead of it>"; "" for an entry that is not in the
--         line
local places, scores = {}, string.gmatch(ARGV[2], '[^\n]+')
local has_held = redis.call('EXISTS', held) == 1
for id in string.gmatch(ARGV[1], '[^\n]+') do
  local score, ahead = scores(), redis.call('ZRANK', line, id)
  local held_ahead = ahead and has_held and redis.call('ZCOUNT', held, '-inf', '(' .. score) or 0
  places[#places + 1] = ahead and ahead .. ' ' .. held_ahead or ''
end
return table.concat(places, '\n')
