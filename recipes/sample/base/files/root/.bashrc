alias rm='rm -i'
alias cp='cp -i'
alias mv='mv -i'
