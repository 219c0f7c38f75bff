-- Set automatic top-offs. Switching them off resolves the incident (R8); switching them on, or a
-- new threshold, looks at the balance at once (R6), unless the spending cap is reached by them.
-- ARGV[5] detail of the entry   ARGV[6] '1' or '0'   ARGV[7] threshold   ARGV[8] amount
-- ARGV[9] overdraft limit or ''   ARGV[10] spending cap of a period, minor units, or ''
-- ARGV[11] default price of a credit, minor units   ARGV[12] currency; both '' where no cap is set
-- ARGV[13] and [14] start and end of the period that contains now, ms, '' where no cap is set
-- ARGV[15..19] if given: ARGV[6..10] as they were when they were read
-- Replies {'unknown_account'}, {'changed'}: they are not what was read, or
--   {'set', id of the top-off in flight or ''}
-- Writes an entry if anything is other than it was, and one if the cap is reached; owes the cap's
-- e-mail. A cap counts by periods, so an account that had none enters this one.

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
local there = redis.call('HMGET', ACCOUNT, 'topoff_on', 'threshold', 'topoff_amount',
  'overdraft_limit', 'cap_minor')
local is_other = false
for i = 1, #there do
  local before = there[i] or ''
  if ARGV[15] and before ~= ARGV[14 + i] then return { 'changed' } end
  is_other = is_other or before ~= ARGV[5 + i]
end
if is_other then append(account, 'account_changed', 0, 0, ID, 'topoff_set', '', ARGV[5]) end
redis.call('HSET', ACCOUNT, 'topoff_on', ARGV[6], 'threshold', ARGV[7], 'topoff_amount', ARGV[8])
if ARGV[9] == '' then
  redis.call('HDEL', ACCOUNT, 'overdraft_limit')
else
  redis.call('HSET', ACCOUNT, 'overdraft_limit', ARGV[9])
end
if ARGV[10] == '' then
  redis.call('HDEL', ACCOUNT, 'cap_minor')
else
  redis.call('HSET', ACCOUNT, 'cap_minor', ARGV[10])
  if redis.call('HEXISTS', ACCOUNT, 'cycle_end_ms') == 0 then
    enter_period(ARGV[13])
    end_cycle_at(ARGV[14])
  end
end
account = read_account()
if not account.topoff_on then switch_topoff_off(account) end
look_at_cap(account, ARGV[11], ARGV[12])
forget_warnings(account)
look(account)
return { 'set', account.topoff }
