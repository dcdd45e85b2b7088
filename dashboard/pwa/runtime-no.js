// For pages of Deta's time that ask for it themselves: takes the host's worker away.
void navigator.serviceWorker?.getRegistrations().then((all) => {
  for (const registration of all) if (registration.active?.scriptURL.endsWith('/__space/v0/assets/service-worker.js')) void registration.unregister();
});
