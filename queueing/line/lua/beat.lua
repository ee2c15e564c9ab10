-- beat: the pages of these entries are open. Held entries are back in the very same place.
-- ARGV    1 ttl of presence in ms
--         2 job ids (at most 1,000), separated by newlines: packing an argument for each id takes the caller as long as
--           all the rest of a beat
-- Return  the ids that came back
local ids, gone = {}, {}
for id in string.gmatch(ARGV[2], '[^\n]+') do
  -- SET, not PEXPIRE: a key that a flush took must come back.
  redis.call('SET', 'presence:' .. id, '1', 'PX', ARGV[1])
  ids[#ids + 1] = id
  gone[#gone + 1] = 'gone:' .. id
end
redis.call('DEL', unpack(gone))
local back = {}
if redis.call('EXISTS', held) == 1 then
  for i, score in ipairs(redis.call('ZMSCORE', held, unpack(ids))) do
    if score then
      redis.call('ZADD', line, score, ids[i])
      back[#back + 1] = ids[i]
    end
  end
end
if #back > 0 then
  redis.call('ZREM', held, unpack(back))
  redis.call('ZREM', due, unpack(back))
  redis.call('HDEL', absence, unpack(back))
  numbers_changed()
  wake_workers(back)
  note(clock(), 'back', '', back)
end
return back
