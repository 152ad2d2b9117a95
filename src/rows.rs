//! Closed sets, each member with what is known about it in one row.

/// Declares an enum whose members each have a row of constant values, in the order of `ALL`.
macro_rules! rows {
    ($(#[$attribute:meta])* pub enum $name:ident($($kind:ty),+) { $($member:ident => $row:tt,)+ }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($member,)+
        }

        impl $name {
            /// All members, in order.
            pub const ALL: [Self; [$(stringify!($member)),+].len()] = [$(Self::$member),+];

            const fn row(self) -> ($($kind,)+) {
                match self {
                    $(Self::$member => $row,)+
                }
            }
        }
    };
}

pub(crate) use rows;
