//! Which strategies are linked: one, by the feature of its name, or all of them with the feature `every-strategy`.

use sim_core::hyp::strategy::Settings;

/// All: a system chooses.
#[cfg(feature = "every-strategy")]
pub(crate) type Rule = sim_core::hyp::strategy::Builtin;

/// The strategy of that name, if it is linked.
#[cfg(feature = "every-strategy")]
pub(crate) fn of(name: &str, settings: Settings) -> Option<Rule> {
    Rule::from_name(name, settings)
}

/// One: a system that wants another is refused.
macro_rules! one {
    ($($feature:literal: $rule:ident($settings:ident) = $value:expr;)*) => {
        $(
            /// The one that is linked.
            #[cfg(all(feature = $feature, not(feature = "every-strategy")))]
            pub(crate) type Rule = sim_core::hyp::strategy::$rule;

            /// The strategy of that name, if it is linked.
            #[cfg(all(feature = $feature, not(feature = "every-strategy")))]
            pub(crate) fn of(name: &str, $settings: Settings) -> Option<Rule> {
                use sim_core::hyp::strategy::*;
                (name == $feature).then(|| $value)
            }
        )*
    };
}

one! {
    "naive": Naive(_settings) = Naive;
    "pin": Pin(_settings) = Pin::default();
    "map-page": MapPage(settings) = MapPage { windows: settings.windows.max(1) };
    "switch-view": SwitchView(settings) = SwitchView { when: settings.when };
    "hybrid": Hybrid(settings) = Hybrid { windows: settings.windows.max(1) };
    "enable-mask": EnableMask(settings) = EnableMask::new(settings.entry_isb);
    "ku-window": KuWindow(settings) = KuWindow { entry_isb: settings.entry_isb };
    "xen-pool": XenPool(_settings) = XenPool;
    "static-map": StaticMap(_settings) = StaticMap;
}
