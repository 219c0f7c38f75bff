-- Tell in the account's log that it got a number, or gave it back: numbers lie apart from accounts.
-- ARGV[5] number   ARGV[6] 'number_assigned' or 'number_released'   ARGV[7] detail of the entry
-- Replies {'unknown_account' | 'told'}

local account = read_account()
if not account then return { 'unknown_account' } end
append(account, 'account_changed', 0, 0, ARGV[5], ARGV[6], '', ARGV[7])
return { 'told' }
